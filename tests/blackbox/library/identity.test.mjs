// sluice.js against nodes with identity on: renewal, the end of a token, revocation.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { WebSocket } from 'ws';
import { cluster, test, until } from '../lib/harness.mjs';
import { IDENTITY, token } from '../lib/token.mjs';
import { Sluice } from '../../../gateway/web/sluice.js';

const KEY = 'an-api-key-of-tests-0123456789abcdef';
const args = [...IDENTITY, '--jwt-leeway', '0', '--api-key', KEY, '--drain', '0'];
const { nodes, stop } = await cluster({ nodes: 2, internal: true, args });
after(stop);
const [node] = nodes;

// A Sluice of the user that `give` makes tokens for: { sluice, states, heard }.
function begin(t, give, at = node) {
  const url = `${at.url}/ws`;
  const options = { WebSocket, reconnect: { least: 20, most: 200 } };
  const sluice = new Sluice(url, { token: give }, options);
  t.after(() => sluice.close(0));
  const states = [];
  const heard = [];
  sluice.on('state', ({ state, code, error }) => states.push(error?.code ?? code ?? state));
  sluice.on('token_expiring', (data) => heard.push(data));
  return { sluice, states, heard };
}

const post = async (path, body = '{}', at = nodes[1]) => {
  const headers = { Authorization: `Bearer ${KEY}` };
  const answer = await at.internal.get(`/api/v1/users/${path}`, { method: 'POST', headers, body });
  assert.deepEqual([answer.status, answer.body.trim()], [200, '{}']);
};

test('a function: tokens that end follow one another on one connection', async (t) => {
  let count = 0;
  const { sluice, states, heard } = begin(t, () => token('ann', { n: ++count }, { ttl: 3 }));
  await sluice.ready();
  assert.equal(sluice.userId, 'ann');
  const { connectionId } = sluice;
  await sluice.emit('join', { room: 'r' });
  await until(() => count >= 4 && heard.length >= 3, { timeout: 20000 });
  assert.equal((await sluice.emit('sendMessage', { room: 'r', message: 'still here' })).seq, 1);
  assert.deepEqual([sluice.connectionId, states], [connectionId, ['online']]);
});

test('a string ends with its token', async (t) => {
  const { sluice, states, heard } = begin(t, token('bob', {}, { ttl: 2 }));
  await sluice.ready();
  await until(() => sluice.state === 'closed', { timeout: 20000 });
  assert.equal(heard.length, 1);
  assert.deepEqual(states, ['online', 4401, 'unauthorized']);
});

test('a function that gives the old token goes on asking, and comes in with a new one', async (t) => {
  const old = token('cid', {}, { ttl: 2 });
  let fresh = null;
  const { sluice, states } = begin(t, () => fresh ?? old);
  await sluice.ready();
  await until(() => states.filter((state) => state === 1006).length >= 2, { timeout: 20000 });
  fresh = token('cid');
  await until(() => sluice.state === 'online', { timeout: 20000 });
  assert.ok(states.includes(4401), states.join());
});

test('revoked by an operator at another node: the end', async (t) => {
  const { sluice, states } = begin(t, () => token('dan', { iat: Math.floor(Date.now() / 1000) - 5 }));
  await sluice.ready();
  await post('dan/revoke');
  await assert.rejects(until(() => sluice.state === 'closed').then(() => sluice.ready()), { code: 'revoked' });
  assert.deepEqual(states, ['online', 'revoked']);
});

test('disconnected by an operator: it comes back', async (t) => {
  const { sluice, states } = begin(t, () => token('eve'));
  await sluice.ready();
  await post('eve/disconnect');
  await until(() => states.length >= 3);
  assert.deepEqual(states, ['online', 4000, 'online']);
});
