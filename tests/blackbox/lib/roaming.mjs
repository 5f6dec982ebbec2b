// Client libraries behind a door that leads to whichever node the test chooses.

import { WebSocket } from 'ws';
import { startProxy } from './proxy.mjs';
import { Sluice } from '../../../gateway/web/sluice.js';

const QUICK = { least: 10, most: 200 };

/*
 * A way in: { url, to(node), cut(), close() and the rest of the proxy }. Connections that stand
 * stay where they are; to() says where the next ones lead.
 */
export async function startDoor(node) {
  const target = { port: node.port, url: 'redis://127.0.0.1:0/0' };
  const proxy = await startProxy(target);
  const door = Object.assign(proxy, { to: (other) => (target.port = other.port) });
  const cut = proxy.cut;
  door.cut = () => proxy.links().length && cut();
  door.url = `ws://127.0.0.1:${proxy.port}/ws`;
  return door;
}

/*
 * A Sluice of this user, with what came: heard, the chatMessages' and new_private_messages' texts;
 * states and lost. Closed when the test is over.
 */
export async function roam(t, user, where, options = {}) {
  const url = where.url.replace('http', 'ws').replace(/\/?(ws)?$/, '/ws');
  const data = typeof user === 'string' ? { userId: user } : user;
  const sluice = new Sluice(url, data, { WebSocket, reconnect: QUICK, ...options });
  const all = { sluice, heard: [], states: [], lost: [] };
  sluice.on('chatMessage', ({ message }) => all.heard.push(message));
  sluice.on('new_private_message', ({ content }) => all.heard.push(content));
  sluice.on('state', (change) => all.states.push(change));
  sluice.on('lost', (what) => all.lost.push(what));
  t.after(() => sluice.close(0));
  await sluice.ready();
  return all;
}
