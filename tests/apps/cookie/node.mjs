import crypto from 'node:crypto';

export default (io, server) => {
  const sessions = new Map();
  server.prependListener('request', (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://x');
    if (pathname !== '/login') return;
    const id = crypto.randomUUID();
    sessions.set(id, searchParams.get('name'));
    response.setHeader('set-cookie', `sid=${id}; HttpOnly`).end();
  });
  io.use((socket, next) => {
    socket.name = sessions.get(socket.handshake.headers.cookie?.match(/sid=([^;]+)/)?.[1]);
    next(socket.name ? undefined : new Error('not logged in'));
  });
  io.on('connection', (socket) => {
    socket.emit('welcome', socket.name);
    socket.on('say', (text) => io.emit('said', { name: socket.name, text }));
  });
};
