import crypto from 'node:crypto';
import http from 'node:http';

const sessions = new Map(); // { userID, username, connected, sockets } by their ids

function connect({ socket, auth }) {
  const known = sessions.get(auth?.sessionID);
  if (!known && !auth?.username) return 403;
  const sessionID = known ? auth.sessionID : crypto.randomUUID();
  const session = known ?? { userID: crypto.randomUUID(), username: auth.username, sockets: new Set() };
  const { userID, username } = session;
  sessions.set(sessionID, session);
  session.sockets.add(socket);
  session.connected = true;
  const users = [...sessions.values()].map(({ sockets, ...one }) => one);
  return {
    user: userID, username, state: { sessionID },
    emit: [
      { to: 'me', event: 'session', data: { sessionID, userID } },
      { to: 'me', event: 'users', data: users },
      { to: 'all', except: ['me'], event: 'user connected', data: { userID, username, connected: true } },
    ],
  };
}
function disconnect({ socket, user, state }) {
  const session = sessions.get(state.sessionID);
  session.sockets.delete(socket);
  session.connected = session.sockets.size > 0;
  return session.connected ? {} : { emit: [{ to: 'all', event: 'user disconnected', data: user }] };
}
const message = ({ user, args: [{ content, to }] }) => ({
  emit: [{ to: [`user:${to}`, `user:${user}`], except: ['me'], event: 'private message', data: { content, from: user, to } }],
});

http.createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  const answer = { connect, disconnect, event: message }[body.type]?.(body) ?? {};
  if (answer === 403) response.writeHead(403);
  response.end(JSON.stringify(answer === 403 ? { error: { code: 'invalid', message: 'invalid username' } } : answer));
}).listen(process.env.PORT ?? 3000);
