export default (io) => {
  let price = 100;
  const timer = setInterval(() => io.emit('price', 'ACME', ++price), 100);
  return () => clearInterval(timer);
};
