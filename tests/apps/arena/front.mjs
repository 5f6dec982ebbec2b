// A fast game: inputs that may be lost, and a view of each player's own with every tick.
export default function arena({ io }) {
  const socket = io();
  const page = { you: null, near: [], ticks: 0 };
  socket.on('tick', ({ you, near }) => {
    page.ticks++;
    page.you = you;
    page.near = near;
  });
  page.press = (dx, dy) => socket.volatile.emit('input', { dx, dy });
  return page;
}
