// The baseline with which `make bench` compares: the same fan-out written plainly on Node and `ws`,
// one process, a Redis subscriber in between, nothing logged. It speaks as much of /ws as load
// fanout needs.
//
//     node baseline.mjs REDIS_PORT

import net from 'node:net';
import { createRequire } from 'node:module';

const { WebSocketServer } = createRequire(new URL('../package.json', import.meta.url))('ws');
const redisPort = Number(process.argv[2]);
const subscribers = new Map(); // channel → set of sockets
let seq = 0;

const command = (...words) =>
  `*${words.length}\r\n` + words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('');

// A value of RESP2 at `at`, { value, end }, or null if it is not all there.
function parse(text, at) {
  const line = text.indexOf('\r\n', at);
  if (line < 0) return null;
  const head = text.slice(at + 1, line);
  let end = line + 2;
  if (text[at] === '$') {
    const length = Number(head);
    if (text.length < end + length + 2) return null;
    return { value: text.slice(end, end + length), end: end + length + 2 };
  }
  if (text[at] !== '*') return { value: head, end };
  const value = [];
  for (let i = 0; i < Number(head); i++) {
    const item = parse(text, end);
    if (!item) return null;
    value.push(item.value);
    end = item.end;
  }
  return { value, end };
}

// A link to Redis. What is sent is ASCII, so characters are bytes.
function connect(onValue) {
  const link = net.connect(redisPort, '127.0.0.1').setNoDelay().setEncoding('latin1');
  let text = '';
  link.on('data', (more) => {
    text += more;
    let at = 0;
    for (let item; (item = parse(text, at)); at = item.end) onValue(item.value);
    text = text.slice(at);
  });
  link.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  return link;
}

const waiting = []; // for the replies to PUBLISH, in order
const commands = connect(() => waiting.shift()());
const messages = connect(([kind, channel, text]) => {
  if (kind !== 'message') return;
  for (const socket of subscribers.get(channel)) socket.send(text);
});

const handlers = {
  login: (socket, data, done) => done({}),
  subscribe(socket, { channel }, done) {
    if (!subscribers.has(channel)) {
      subscribers.set(channel, new Set());
      messages.write(command('SUBSCRIBE', channel));
    }
    subscribers.get(channel).add(socket);
    done({ channel, epoch: '0', seq });
  },
  publish(socket, { channel, data }, done) {
    const at = ++seq;
    const time = Date.now() * 1000;
    const frame = { channel, epoch: '0', seq: at, time, event: 'message', data };
    waiting.push(() => done({ seq: at, timestamp: time / 1000 }));
    commands.write(command('PUBLISH', channel, JSON.stringify(frame)));
  },
};

const options = { host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 1024 };
const server = new WebSocketServer(options, () => console.log(`addr=127.0.0.1:${server.address().port}`));
server.on('connection', (socket) => {
  socket._socket.setNoDelay();
  socket.on('error', () => {}); // the client resets its connections at the end
  socket.on('close', () => subscribers.forEach((set) => set.delete(socket)));
  socket.on('message', (text) => {
    const { event, data, ack } = JSON.parse(text);
    handlers[event](socket, data, (answer) => socket.send(JSON.stringify({ ack, data: answer })));
  });
});
