export default (io) => {
  let last = 0;
  io.on('connection', (socket) => {
    socket.on('game:create', (callback) => {
      const room = `game ${++last}`;
      socket.join(room);
      callback(room);
    });
    socket.on('game:join', ({ room }, callback) => {
      const size = io.sockets.adapter.rooms.get(room)?.size ?? 0;
      if (size !== 1) return callback({ ok: false, reason: size ? 'full' : 'no such game' });
      socket.join(room);
      callback({ ok: true });
      io.to(room).emit('game:started', { room });
    });
    socket.on('move', (move) => socket.to(move.room).emit('move', move));
    socket.on('game:leave', ({ room }) => {
      socket.leave(room);
      io.to(room).emit('opponent left');
    });
    socket.on('disconnecting', () => {
      for (const room of socket.rooms) if (room !== socket.id) socket.to(room).emit('opponent left');
    });
  });
};
