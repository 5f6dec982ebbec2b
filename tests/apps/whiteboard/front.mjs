// A whiteboard: what one draws, the others see at once.
export default function whiteboard({ io }) {
  const socket = io();
  const lines = []; // in place of a canvas

  socket.on('drawing', (line) => lines.push(line));
  socket.on('clear', () => lines.splice(0));

  return {
    lines,
    draw(x0, y0, x1, y1, color) {
      const line = { x0, y0, x1, y1, color };
      lines.push(line);
      socket.emit('drawing', line);
    },
    clear: () => socket.emit('clear'),
    ready: () => socket.connected,
  };
}
