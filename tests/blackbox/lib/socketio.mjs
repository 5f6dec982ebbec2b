// The official client of Socket.IO, as front ends use it.

import { io as today } from 'socket.io-client';
import { clients } from './processes.mjs';
import { kept, within } from './waiting.mjs';

/*
 * io(node.url + nsp, options), connected unless `wait` is false; io is that of the client's
 * newest version unless another is given. It is the client's own socket,
 * with: got, the events in the order they came, { event, args }; end(). What is left open is
 * closed with the cluster.
 */
export async function front(node, { nsp = '/', wait = true, io = today, ...options } = {}) {
  const socket = io(node.url + nsp, { forceNew: true, reconnection: false, ...options });
  record(socket);
  const tracked = { url: node.url, terminate: () => socket.end() };
  clients.add(tracked);
  socket.end = () => {
    clients.delete(tracked);
    socket.disconnect();
    socket.io.engine?.close();
  };
  if (wait) await once(socket, 'connect');
  return socket;
}

function record(socket) {
  socket.got = [];
  socket.waiters = [];
  socket.onAny((event, ...args) => {
    const item = { event, args };
    const at = socket.waiters.findIndex((waiter) => waiter.wanted(item));
    if (at < 0) socket.got.push(item);
    else socket.waiters.splice(at, 1)[0].resolve(item);
  });
  return socket;
}

// A socket of another namespace on the connection of this one.
export const beside = (socket, nsp) => record(socket.io.socket(nsp));

// Waits for one of the client's own events (connect, connect_error, disconnect), or for an event of
// any emitter.
export function once(emitter, event, timeout = 10000) {
  const come = new Promise((resolve) => {
    emitter.once(event, (...args) => resolve(args));
  });
  return kept(within(come, timeout, () => `no ${event} within ${timeout} ms`));
}

// The first argument of the next event of that name that matches; each is given once.
export async function next(socket, event, { match = () => true, timeout = 10000 } = {}) {
  const wanted = (item) => item.event === event && match(item.args[0], ...item.args.slice(1));
  const at = socket.got.findIndex(wanted);
  if (at >= 0) return socket.got.splice(at, 1)[0].args[0];
  const come = new Promise((resolve) => socket.waiters.push({ wanted, resolve }));
  const late = () => `no ${event}; last: ${JSON.stringify(socket.got.slice(-8))}`;
  return (await kept(within(come, timeout, late))).args[0];
}

// The ack's data; an error is thrown with its fields.
export async function emit(socket, event, ...args) {
  const acked = new Promise((resolve) => socket.emit(event, ...args, resolve));
  const answer = await kept(within(acked, 10000, () => `no ack of ${event} within 10 s`));
  if (answer?.error) {
    const { message, ...fields } = answer.error;
    throw Object.assign(new Error(message), fields);
  }
  return answer;
}

// emit() of login; resolves to the socket.
export async function enter(node, userId, extra = {}, options = {}) {
  const socket = await front(node, options);
  socket.ack = await emit(socket, 'login', { userId, ...extra });
  return socket;
}

export const WAYS = [['polling'], ['websocket'], ['polling', 'websocket']];
