const SIGHT = 5;
export default (io) => {
  const players = new Map();
  io.on('connection', (socket) => {
    players.set(socket.id, { x: 0, y: 0 });
    socket.on('input', ({ dx, dy }) => {
      const player = players.get(socket.id);
      player.x += Math.sign(dx);
      player.y += Math.sign(dy);
    });
    socket.on('disconnect', () => players.delete(socket.id));
  });
  const view = (id, you) => [...players].filter(([other, at]) => other !== id && Math.abs(at.x - you.x) <= SIGHT).map(([, at]) => at);
  const timer = setInterval(() => {
    for (const [id, you] of players) io.to(id).volatile.emit('tick', { you, near: view(id, you) });
  }, 50);
  return () => clearInterval(timer);
};
