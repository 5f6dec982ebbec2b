export default (io) => {
  const admins = io.of('/admin');
  const tell = () => admins.emit('visitors', [...io.of('/').sockets.keys()]);
  io.on('connection', (socket) => {
    tell();
    socket.on('disconnect', tell);
  });
  admins.use((socket, next) => {
    next(socket.handshake.auth.password === 'open sesame' ? undefined : new Error('wrong password'));
  });
  admins.on('connection', (socket) => {
    tell();
    socket.on('kick', (id, done) => {
      const visitor = io.of('/').sockets.get(id);
      visitor?.disconnect();
      done({ kicked: Boolean(visitor) });
    });
  });
};
