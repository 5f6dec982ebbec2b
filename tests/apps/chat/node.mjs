export default (io) => {
  let numUsers = 0;
  io.on('connection', (socket) => {
    socket.on('add user', (username) => {
      if (socket.username) return;
      socket.username = username;
      numUsers++;
      socket.emit('login', { numUsers });
      socket.broadcast.emit('user joined', { username, numUsers });
    });
    socket.on('new message', (message) => {
      socket.broadcast.emit('new message', { username: socket.username, message });
    });
    socket.on('typing', () => socket.broadcast.emit('typing', { username: socket.username }));
    socket.on('stop typing', () => socket.broadcast.emit('stop typing', { username: socket.username }));
    socket.on('disconnect', () => {
      if (!socket.username) return;
      numUsers--;
      socket.broadcast.emit('user left', { username: socket.username, numUsers });
    });
  });
};
