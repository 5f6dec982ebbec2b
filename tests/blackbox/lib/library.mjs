// sluice.js on a scripted server.

import assert from 'node:assert/strict';
import { scripted } from './scripted.mjs';
import { Sluice, SluiceError } from '../../../gateway/web/sluice.js';

const FAST = { reconnect: { least: 1, most: 5 } };

// A Sluice that has just begun to connect: { sluice, WebSocket, socket, states }. `options` are
// those of Sluice, `user` overrides the fields of its login, and the rest goes to the script.
export function start(t, { options, user = {}, ...script } = {}) {
  const WebSocket = scripted(script);
  const given = { userId: 'ann', ...user };
  const sluice = new Sluice('ws://host/ws', given, { ...FAST, ...options, WebSocket });
  t.after(() => sluice.close(0));
  const states = [];
  sluice.on('state', (change) => states.push(change));
  return { sluice, WebSocket, socket: WebSocket.last, states };
}

// As start(), logged in.
export const online = async (t, how) => {
  const all = start(t, how);
  await all.socket.enter(how?.ack);
  return all;
};

// Cuts its connection; resolves to the next one, logged in.
export const again = async ({ WebSocket, socket }, ack) => {
  const count = WebSocket.sockets.length + 1;
  socket.drop(1006);
  return (await WebSocket.next(count)).enter(ack);
};

export const fails = (promise, code) =>
  assert.rejects(promise, (error) => error instanceof SluiceError && error.code === code);

// The data of what the client sent under this name, and the texts of its messages.
export const sent = (socket, event) =>
  socket.sent.filter((frame) => frame.event === event).map(({ data }) => data);
export const texts = (socket) => sent(socket, 'sendMessage').map(({ message }) => message);

export const unavailable = { error: { code: 'unavailable', message: 'no', outcome: 'refused' } };
