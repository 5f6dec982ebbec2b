// A fan-out written plainly on Node and `ws`: a set of sockets a channel, a Redis channel each.
//
//     node ws.mjs REDIS_PORT

import { WebSocketServer } from 'ws';
import { hop } from './hop.mjs';

const subscribers = new Map(); // channel → set of sockets
const redis = await hop(process.argv[2], (channel, text) => {
  for (const socket of subscribers.get(channel)) socket.send(text);
});
const options = { host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 };
const server = new WebSocketServer(options, () => console.log(`addr=127.0.0.1:${server.address().port}`));
server.on('connection', (socket) => {
  socket._socket.setNoDelay();
  socket.on('error', () => {}); // the client resets its connections at the end
  socket.on('close', () => subscribers.forEach((set) => set.delete(socket)));
  socket.on('message', (bytes) => {
    const text = bytes.toString('latin1');
    const answer = () => socket.send('A');
    if (text[0] === 'S') {
      const channel = text.slice(1);
      if (!subscribers.has(channel)) subscribers.set(channel, new Set());
      subscribers.get(channel).add(socket);
      redis.subscribe(channel).then(answer);
    } else {
      const end = text.indexOf(' ');
      redis.publish(text.slice(1, end), text.slice(end + 1)).then(answer);
    }
  });
});
