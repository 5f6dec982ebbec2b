export default (io) => {
  io.on('connection', (socket) => {
    socket.on('drawing', (line) => socket.broadcast.emit('drawing', line));
    socket.on('clear', () => io.emit('clear'));
  });
};
