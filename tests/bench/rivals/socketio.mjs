// Socket.IO on Node as its documents advise for several processes: a room, the Redis adapter.
//
//     node socketio.mjs REDIS_PORT

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const pub = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
const sub = pub.duplicate();
await Promise.all([pub.connect(), sub.connect()]);
const server = createServer();
const io = new Server(server, { perMessageDeflate: false });
io.adapter(createAdapter(pub, sub));
io.on('connection', (socket) => {
  socket.on('login', (who, done) => done({}));
  socket.on('subscribe', ({ channel }, done) => {
    socket.join(channel);
    done({});
  });
  socket.on('publish', ({ channel, data }, done) => {
    io.to(channel).emit('message', data);
    done({});
  });
});
server.listen(0, '127.0.0.1', () => console.log(`addr=127.0.0.1:${server.address().port}`));
