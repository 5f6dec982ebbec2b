// A page that listens to the server, and says nothing.
export default function prices({ io }) {
  const socket = io();
  const prices = {};
  socket.on('price', (symbol, price) => {
    prices[symbol] = price;
  });
  return { prices };
}
