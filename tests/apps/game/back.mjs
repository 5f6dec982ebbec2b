import http from 'node:http';

const games = new Map(); // how many are in each
let last = 0;
const tell = (room, event, ...args) => ({ to: `room:${room}`, event, args });

function leave(room) {
  games.set(room, games.get(room) - 1);
  return tell(room, 'opponent left');
}
const events = {
  'game:create'() {
    const room = `game ${++last}`;
    games.set(room, 1);
    return { join: [room], ack: room };
  },
  'game:join'({ room }) {
    const size = games.get(room) ?? 0;
    if (size !== 1) return { ack: { ok: false, reason: size ? 'full' : 'no such game' } };
    games.set(room, 2);
    return { join: [room], emit: [tell(room, 'game:started', { room })], ack: { ok: true } };
  },
  'game:leave': ({ room }) => ({ leave: [room], emit: [leave(room)] }),
};
const disconnected = ({ rooms }) => ({ emit: rooms.map((room) => leave(decodeURIComponent(room))) });

http.createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  const answer = body.type === 'disconnect' ? disconnected(body) : events[body.event]?.(...body.args);
  response.end(JSON.stringify(answer ?? {}));
}).listen(process.env.PORT ?? 3000);
