// Socket.IO on Node as its documents advise for several processes: rooms, the Redis adapter.
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
const io = new Server(server, { perMessageDeflate: false, transports: ['websocket'] });
io.adapter(createAdapter(pub, sub));
io.on('connection', (socket) => {
  socket.on('login', ({ userId }, done) => {
    socket.join(`user:${userId}`);
    done({});
  });
  socket.on('subscribe', ({ channel }, done) => {
    socket.join(channel);
    done({});
  });
  socket.on('publish', ({ channel, data }, done) => {
    io.to(channel).emit('message', data);
    done({});
  });
  socket.on('private_message', ({ receiverId, content }, done) => {
    io.to(`user:${receiverId}`).emit('new_private_message', { content });
    done({});
  });
});
server.listen(0, '127.0.0.1', () => console.log(`addr=127.0.0.1:${server.address().port}`));
