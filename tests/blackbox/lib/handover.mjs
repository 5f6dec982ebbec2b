// Polled sessions of Socket.IO by hand, each request at a node of the test's choice.

import assert from 'node:assert/strict';
import { packets } from './conformance.mjs';
import { until } from './waiting.mjs';

export const OPEN = '/socket.io/?EIO=4&transport=polling';
export const UNKNOWN = '{"code":1,"message":"Session ID unknown"}';

// Every node knows each of the others.
export async function acquainted(nodes) {
  const knows = (node, other) => node === other || incarnations(other).some((it) => met(node).has(it));
  await until(() => nodes.every((node) => nodes.every((other) => knows(node, other))), {
    what: 'the nodes know each other',
  });
}
const incarnations = (node) =>
  [...node.log().matchAll(/event=(?:listening|new_incarnation) .*?incarnation=(\S+)/g)].map(([, it]) => it);
const met = (node) =>
  new Set([...node.log().matchAll(/event=peer .*?incarnation=(\S+)/g)].map(([, it]) => it));

/*
 * A session begun at a node and joined to "/": { sid, url, get(node), post(node, body), waits(),
 * until(node, wanted), emit(node, event), login(node, userId) }.
 */
export async function begin(node, nodes) {
  await acquainted(nodes);
  const { status, body } = await node.get(OPEN);
  assert.equal(status, 200, body);
  const { sid } = JSON.parse(body.slice(1));
  const url = `${OPEN}&sid=${sid}`;
  let id = 100;
  const self = {
    sid,
    url,
    get: (at, options) => at.get(url, options),
    post: (at, text, options) => at.get(url, { method: 'POST', body: text, ...options }),
    // Waits until a request that was sent has reached the session's node, which requests after it
    // show.
    async waits() {
      for (let i = 0; i < 3; i++) {
        for (const each of nodes) await each.get('/healthz');
      }
    },
    // Polls until a packet is wanted; resolves to all that came.
    async until(at, wanted) {
      const all = [];
      while (!all.some(wanted)) {
        const answer = await self.get(at);
        assert.equal(answer.status, 200, answer.body);
        all.push(...packets(answer.body));
      }
      return all;
    },
    // Resolves to the ack's data.
    async emit(at, event) {
      const ack = `43${++id}`;
      assert.equal((await self.post(at, `42${id}${JSON.stringify(event)}`)).body, 'ok');
      const all = await self.until(at, (packet) => packet.startsWith(ack));
      return JSON.parse(all.find((packet) => packet.startsWith(ack)).slice(ack.length))[0];
    },
    login: (at, userId) => self.emit(at, ['login', { userId }]),
  };
  assert.equal((await self.post(node, '40')).body, 'ok');
  await self.until(node, (packet) => packet.startsWith('40'));
  return self;
}
