import crypto from 'node:crypto';
import http from 'node:http';

const sessions = new Map();

function login(url, response) {
  const id = crypto.randomUUID();
  sessions.set(id, new URL(url, 'http://x').searchParams.get('name'));
  response.setHeader('set-cookie', `sid=${id}; HttpOnly`).end();
}
function connect(cookie, response) {
  const name = sessions.get(cookie?.match(/sid=([^;]+)/)?.[1]);
  if (!name) {
    response.writeHead(401);
    return { error: { code: 'unauthorized', message: 'not logged in' } };
  }
  return { user: name, emit: [{ to: 'me', event: 'welcome', data: name }] };
}
const say = (name, text) => ({ emit: [{ to: 'all', event: 'said', data: { name, text } }] });

http.createServer(async (request, response) => {
  if (request.url.startsWith('/login')) return login(request.url, response);
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  const answer = body.type === 'connect' ? connect(request.headers.cookie, response) : say(body.user, body.args?.[0]);
  response.end(JSON.stringify(answer));
}).listen(process.env.PORT ?? 3000);
