// A handshake of /ws whose token is signed with a key that the node has to fetch first: it is held.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startRedis, test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';
import { metrics, restingGauges } from '../lib/registry.mjs';
import { signed, withoutKeys } from '../lib/withheld-keys.mjs';

const redis = await startRedis();
after(() => redis.stop());

const head = (sub, more) =>
  raw.handshake({ headers: { Authorization: `Bearer ${signed(sub)}`, ...more } });

test('opened when the key has come, with what the client sent meanwhile', async (t) => {
  const { node, open } = await withoutKeys(t, redis);
  const all = [];
  for (let i = 0; i < 5; i++) {
    const s = await raw.dial(node);
    const first = raw.encode(raw.TEXT, raw.beat(1));
    const login = raw.encode(raw.TEXT, '{"event":"login","data":{},"ack":2}');
    await s.write(Buffer.concat([Buffer.from(head(`u${i}`)), first, login]));
    all.push(s);
  }
  await until(async () => (await metrics(node))('sluice_received_messages_total', { door: 'http' }) >= 5);
  for (const s of all) assert.equal(s.received.length, 0);
  open();
  for (const [i, s] of all.entries()) {
    assert.equal((await s.response()).status, 101);
    assert.deepEqual(await s.json(), { ack: 1, data: {} });
    const answer = await s.json();
    assert.equal(answer.ack, 2);
    assert.equal(answer.data?.userId, `u${i}`);
    s.destroy();
  }
});

test('as a subprotocol, too', async (t) => {
  const { node, open } = await withoutKeys(t, redis);
  const s = await raw.dial(node);
  const protocols = `chat, sluice, bearer.${signed('ann')}`;
  await s.write(raw.handshake({ headers: { 'Sec-WebSocket-Protocol': protocols } }));
  open();
  const { status, headers } = await s.response();
  assert.equal(status, 101);
  assert.equal(headers['sec-websocket-protocol'], 'sluice');
  s.destroy();
});

test('no key comes: an error in time, and nothing is left', async (t) => {
  const { node } = await withoutKeys(t, redis, ['--handshake-timeout', '1s']);
  const before = await restingGauges([node]);
  const s = await raw.dial(node);
  await s.write(head('ann'));
  assert.equal((await s.response()).status, 503);
  await s.over();
  s.destroy();
  const gone = await raw.dial(node);
  await gone.write(head('ann'));
  gone.destroy();
  assert.equal(await restingGauges([node]), before);
});

test('a token that no key can make good does not wait', async (t) => {
  const { node } = await withoutKeys(t, redis);
  const s = await raw.dial(node);
  await s.write(raw.handshake({ headers: { Authorization: 'Bearer a.b.c' } }));
  assert.equal((await s.response()).status, 401);
  s.destroy();
});
