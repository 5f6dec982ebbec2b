import http from 'node:http';

const SIGHT = 5;
const { SLUICE_URL = 'http://127.0.0.1:8080', SLUICE_API_KEY, PORT = 3000 } = process.env;
const players = new Map();

const calls = {
  connect: ({ socket }) => players.set(socket, { x: 0, y: 0 }),
  disconnect: ({ socket }) => players.delete(socket),
  event({ socket, args: [{ dx, dy }] }) {
    const player = players.get(socket);
    player.x += Math.sign(dx);
    player.y += Math.sign(dy);
  },
};
const view = (id, you) => [...players].filter(([other, at]) => other !== id && Math.abs(at.x - you.x) <= SIGHT).map(([, at]) => at);
const tick = (id, you) => ({
  method: 'POST',
  path: '/publish',
  body: { channel: `socket:${id}`, event: 'tick', data: { you, near: view(id, you) }, ephemeral: true },
});

async function ticks() {
  const requests = [...players].map(([id, you]) => tick(id, you)).slice(0, 100);
  const headers = { authorization: `Bearer ${SLUICE_API_KEY}` };
  const body = JSON.stringify({ requests });
  if (requests.length > 0)
    await fetch(`${SLUICE_URL}/api/v1/batch`, { method: 'POST', headers, body }).catch(console.error);
  setTimeout(ticks, 50);
}
ticks();

http.createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  calls[body.type]?.(body);
  response.end('{}');
}).listen(PORT);
