// One kind of client for every door of the chat, for tests that go through all of them.

import { connect } from './client.mjs';
import * as socketio from './socketio.mjs';

export const DOORS = ['ws', 'polling', 'websocket'];

/*
 * A client at this door of the node. Has: emit(event, data), which resolves to the ack's data and
 * rejects with the error's fields; send(event, data), without an ack; next(event), which resolves
 * to the data of the next event of that name; closed, which resolves when it is over (on /ws to
 * { code, reason }, else to the reason); end(); socket, the client itself. `auth` is for Socket.IO.
 */
export async function knock(node, door, { auth, ...options } = {}) {
  return door === 'ws' ? onWs(await connect(node, options)) : onSocketIo(node, door, { auth, ...options });
}

function onWs(socket) {
  return {
    door: 'ws',
    socket,
    emit: (event, data) => socket.emit(event, data),
    send: (event, data) => socket.send(event, data),
    next: async (event, how) => (await socket.next(event, how)).data,
    came: (event) => socket.take(event).map(({ data }) => data),
    closed: socket.closed,
    end: () => socket.terminate(),
  };
}

async function onSocketIo(node, door, options) {
  const socket = await socketio.front(node, { transports: [door], ...options });
  return {
    door,
    socket,
    emit: (event, data) => socketio.emit(socket, event, data),
    send: (event, data) => socket.emit(event, data),
    next: (event, how) => socketio.next(socket, event, how),
    came: (event) => socket.got.filter((item) => item.event === event).map(({ args }) => args[0]),
    closed: new Promise((resolve) => socket.on('disconnect', resolve)),
    end: () => socket.end(),
  };
}

// A client that is logged in with this token.
export async function enter(node, door, token, extra = {}) {
  const client = await knock(node, door);
  client.ack = await client.emit('login', { token, ...extra });
  return client;
}

// The error with which a promise is rejected: its code and field.
export const refusal = (promise) =>
  promise.then(
    (value) => ({ code: 'ok', value }),
    ({ code, field, message }) => ({ code, field, message }),
  );
