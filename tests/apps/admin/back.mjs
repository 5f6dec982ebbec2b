import http from 'node:http';

const { SLUICE_URL = 'http://127.0.0.1:8080', SLUICE_API_KEY, PORT = 3000 } = process.env;
const visitors = new Set();
const list = (to) => ({ emit: [{ to, namespace: '/admin', event: 'visitors', data: [...visitors] }] });

function connect({ namespace, socket, auth }) {
  if (namespace === '/') return visitors.add(socket) && list('all');
  return auth?.password === 'open sesame' ? list('me') : null;
}
function disconnect({ socket }) {
  return visitors.delete(socket) ? list('all') : {};
}
async function kick({ args: [id] }) {
  const headers = { authorization: `Bearer ${SLUICE_API_KEY}` };
  const kicked = visitors.has(id);
  await fetch(`${SLUICE_URL}/api/v1/sockets/${id}/disconnect`, { method: 'POST', headers, body: '{}' });
  return { ack: { kicked } };
}

http.createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  const answer = await { connect, disconnect, event: kick }[body.type](body);
  if (answer === null) response.writeHead(403);
  response.end(JSON.stringify(answer ?? { error: { code: 'refused', message: 'wrong password' } }));
}).listen(PORT);
