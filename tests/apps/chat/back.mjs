import http from 'node:http';

const users = new Map(); // names by socket
const others = (event, data) => ({ to: 'all', except: ['me'], event, data });

const events = {
  'add user': ({ socket, args: [username] }) => {
    if (users.has(socket)) return {};
    users.set(socket, username);
    const numUsers = users.size;
    return {
      state: { username },
      emit: [{ to: 'me', event: 'login', data: { numUsers } }, others('user joined', { username, numUsers })],
    };
  },
  'new message': ({ state, args: [message] }) => ({ emit: [others('new message', { ...state, message })] }),
  typing: ({ state }) => ({ emit: [others('typing', state)] }),
  'stop typing': ({ state }) => ({ emit: [others('stop typing', state)] }),
};

function disconnected({ socket, state }) {
  if (!users.delete(socket)) return {};
  const data = { ...state, numUsers: users.size };
  return { emit: [{ to: 'all', event: 'user left', data }] };
}

http.createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  const answer = body.type === 'disconnect' ? disconnected(body) : events[body.event]?.(body);
  response.end(JSON.stringify(answer ?? {}));
}).listen(process.env.PORT ?? 3000);
