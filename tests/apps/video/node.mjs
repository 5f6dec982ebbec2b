export default (io) => {
  io.on('connection', (socket) => {
    socket.on('join', (room, done) => {
      socket.join(room);
      done();
    });
    socket.on('ready', (room) => socket.to(room).emit('ready', socket.id));
    for (const event of ['offer', 'answer', 'candidate'])
      socket.on(event, (to, data) => io.to(to).emit(event, data, socket.id));
  });
};
