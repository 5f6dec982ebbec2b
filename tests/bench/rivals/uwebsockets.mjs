// uWebSockets with its native topics, and a Redis channel a topic.
//
//     node uwebsockets.mjs REDIS_PORT

import { createRequire } from 'node:module';
import { hop } from './hop.mjs';

const uWS = createRequire(import.meta.url)('uwebsockets');
const redis = await hop(process.argv[2], (channel, text) => app.publish(channel, text));
const app = uWS.App().ws('/ws', {
  maxBackpressure: 64 * 1024 * 1024,
  idleTimeout: 0,
  open: (socket) => (socket.getUserData().isOpen = true),
  close: (socket) => (socket.getUserData().isOpen = false),
  message(socket, bytes) {
    const text = Buffer.from(bytes).toString('latin1');
    const answer = () => socket.getUserData().isOpen && socket.send('A');
    if (text[0] === 'S') {
      socket.subscribe(text.slice(1));
      redis.subscribe(text.slice(1)).then(answer);
    } else {
      const end = text.indexOf(' ');
      redis.publish(text.slice(1, end), text.slice(end + 1)).then(answer);
    }
  },
});
app.listen('127.0.0.1', 0, (listener) => console.log(`addr=127.0.0.1:${uWS.us_socket_local_port(listener)}`));
