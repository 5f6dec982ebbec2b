// A raw connection ends with its token: at exp and jwt-leeway.
import assert from 'node:assert/strict';
import { cluster, connect, test } from '../lib/harness.mjs';
import { metric } from '../lib/registry.mjs';
import { allowed, IDENTITY } from '../lib/token.mjs';

const args = [...IDENTITY, '--channels', 'events', '--jwt-leeway', '500ms'];
const { nodes } = await cluster({ nodes: 1, args });

const open = (ttl) => {
  const text = allowed('ann', { channels: ['*'] }, { ttl });
  const headers = { authorization: `Bearer ${text}` };
  return connect(nodes[0], { path: '/channels/events', headers });
};

test('closed with 4401, not before its time, and others stay', async () => {
  const stays = await open(3600);
  const began = Date.now();
  const goes = await open(1.5);
  assert.deepEqual(await goes.closed, { code: 4401, reason: 'token expired' });
  assert.ok(Date.now() - began >= 1950, `${Date.now() - began} ms`);
  assert.ok(stays.isOpen);
  await stays.close();
  assert.equal(await metric(nodes[0], 'sluice_closes_total', { code: '4401' }), 1);
});

test('a token in its leeway still opens, and ends soon', async () => {
  const late = await open(-0.2);
  assert.equal((await late.closed).code, 4401);
});
