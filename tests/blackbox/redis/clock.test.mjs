// Redis's clock is set: back over a bucket of ids, by eleven minutes either way, by days. A repeat stays
// one, and who is in a room stays in it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, login, ROOT, tempDir, test, until } from '../lib/harness.mjs';
import { hash } from '../lib/registry.mjs';

// A Redis whose clock this file sets, by so many seconds from the machine's.
const dir = tempDir('clock');
const file = path.join(dir, 'ahead');
const library = path.join(dir, 'clock.so');
let redis;
async function set(seconds) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds) * 1000000n);
  fs.writeFileSync(file, bytes, { flag: fs.existsSync(file) ? 'r+' : 'w' });
  const ahead = async () => Number((await redis.cli('TIME')).split('\n')[0]) - Date.now() / 1000;
  if (redis) await until(async () => Math.abs((await ahead()) - seconds) < 30);
}

test('steps of its clock', { timeout: 60000 }, async (t) => {
  const source = path.join(ROOT, 'tests/blackbox/lib/clock.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source]);
  await set(0);
  const env = { ...process.env, LD_PRELOAD: library, CLOCK_FILE: file };
  const all = await cluster({ nodes: 2, redis: { env }, args: ['--user-retention', '1d'] });
  t.after(all.stop);
  redis = all.redis;
  const ann = await login(all.nodes[0], 'ann');
  const bob = await login(all.nodes[1], 'bob');
  for (const one of [ann, bob]) {
    await one.emit('join', { room: 'r' });
    await one.emit('subscribe', { channel: 'topic:t' });
  }
  const said = (id) => [
    ['sendMessage', { room: 'r', message: id, clientMessageId: id }],
    ['private_message', { receiverId: 'bob', content: id, clientMessageId: id }],
    ['publish', { channel: 'topic:t', data: id, clientMessageId: id }],
  ];
  // A clock that is set may make a node come up again: what it refuses is asked again.
  const say = async (id) => {
    const acks = [];
    for (const [event, data] of said(id)) {
      const ask = () =>
        ann.emit(event, data).catch((error) => {
          assert.equal(error.code, 'unavailable', `${event} ${id}: ${error.code}`);
          return false;
        });
      acks.push(await until(ask));
    }
    return acks.map(({ seq, timestamp }) => `${seq} ${timestamp}`);
  };
  const MINUTE = 60, DAY = 86400;
  let at = 0;
  const first = [];
  const steps = [-1, -5 * MINUTE, -11 * MINUTE, 11 * MINUTE, 11 * MINUTE, -2 * DAY, 5 * DAY, -DAY];
  for (const [i, step] of steps.entries()) {
    first.push(await say(`m${i}`));
    at += step;
    await set(at);
    for (const [n, acks] of first.entries()) {
      assert.deepEqual(await say(`m${n}`), acks, `m${n} after a step of ${step} s`);
    }
  }
  await until(async () => Object.keys(await hash(redis, 'sluice:{user:ann}:conns')).length === 1);
  for (const one of [ann, bob]) {
    await until(async () => (await one.emit('all_member', { room: 'r' })).length === 2);
    assert.ok(await until(() => one.emit('sendMessage', { room: 'r', message: 'in' }).catch(() => false)));
  }
});
