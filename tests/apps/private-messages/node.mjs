import crypto from 'node:crypto';

export default (io) => {
  const sessions = new Map();
  io.use((socket, next) => {
    const { sessionID, username } = socket.handshake.auth;
    const session = sessions.get(sessionID);
    if (!session && !username) return next(new Error('invalid username'));
    socket.sessionID = session ? sessionID : crypto.randomUUID();
    socket.userID = session?.userID ?? crypto.randomUUID();
    socket.username = session?.username ?? username;
    next();
  });
  io.on('connection', (socket) => {
    const { sessionID, userID, username } = socket;
    sessions.set(sessionID, { userID, username, connected: true });
    socket.join(userID);
    socket.emit('session', { sessionID, userID });
    socket.emit('users', [...sessions.values()]);
    socket.broadcast.emit('user connected', { userID, username, connected: true });
    socket.on('private message', ({ content, to }) => {
      socket.to(to).to(userID).emit('private message', { content, from: userID, to });
    });
    socket.on('disconnect', async () => {
      if ((await io.in(userID).fetchSockets()).length > 0) return;
      socket.broadcast.emit('user disconnected', userID);
      sessions.set(sessionID, { userID, username, connected: false });
    });
  });
};
