// position.lua finds where a log was at a time: against counting through it, for logs with holes,
// trimmed heads and forks.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { ROOT, startRedis, test } from '../lib/harness.mjs';

const redis = await startRedis();
after(() => redis.stop());
const lua = (name) => fs.readFileSync(path.join(ROOT, `gateway/redis/lua/${name}.lua`), 'utf8');
const constants = `local P = 'sluice:'
local OPEN, CLOSE, SKIP, LAST, APART, PUBLISH = 'sluice:{', '}', 9, -2, false, 'PUBLISH'
local MAXLEN, BIG_ROOM, ROOM_TTL, INBOX_TTL, USER_TTL = 100, 250, 60000, 60000, 60000\n`;
const script = constants + lua('prelude') + lua('log') + lua('position');
const base = 'sluice:{room:r}';

const stamp = (n) => String(1700000000000000 + n);
async function make({ entries, seq, epoch = 'e1', forks = {} }) {
  await redis.cli('DEL', `${base}:log`, `${base}:meta`);
  for (const { seq: at, time } of entries) {
    const frame = `{"channel":"room:r","epoch":"${epoch}","seq":${at},"time":${stamp(time)},"event":"x","data":1}`;
    await redis.cli('XADD', `${base}:log`, `${at}-0`, 'frame', frame);
  }
  const last = entries.at(-1);
  const time = last ? ['time', stamp(last.time)] : [];
  const more = Object.entries(forks).flatMap(([name, at]) => [`fork:${name}`, at]);
  await redis.cli('HSET', `${base}:meta`, 'epoch', epoch, 'seq', seq, 'run', 'me', ...time, ...more);
}
async function at(time, epoch, least) {
  const out = await redis.cli('EVAL', script, 1, base, 'me', 'fresh', stamp(time), epoch, least);
  const [status, , seq] = out.trim().split('\n');
  return status === '0' ? Number(seq) : null;
}

test('random logs: the last entry that is not later, and never before the floor', async () => {
  let random = 7;
  const draw = (n) => (random = (random * 48271) % 2147483647) % n;
  for (let round = 0; round < 12; round++) {
    const from = 1 + draw(2) * draw(20);
    const entries = [];
    let time = 10;
    for (let seq = from; seq < from + 1 + draw(30); seq++) {
      time += 1 + draw(5);
      if (entries.length === 0 || draw(6) > 0) entries.push({ seq, time });
    }
    const seq = entries.at(-1).seq;
    await make({ entries, seq });
    for (let probe = 0; probe < 12; probe++) {
      const when = 5 + draw(time + 10);
      const least = draw(seq + 1);
      const behind = entries.filter((entry) => entry.time > when);
      const had = entries.filter((entry) => entry.time <= when);
      const got = await at(when, 'e1', least);
      const told = `${JSON.stringify(entries)} at ${when} from ${least}: ${got}`;
      if (had.length === 0 && entries[0].seq > least + 1) {
        assert.equal(got, null, told); // what stood before may have been later
        continue;
      }
      assert.ok(got >= least, told);
      // What is sent from there on is all that is later, but for what is not above the floor.
      const sent = entries.filter((entry) => entry.seq > got);
      assert.deepEqual(sent, behind.filter((entry) => entry.seq > least), told);
    }
  }
});

test('a log that is gone, or was never there', async () => {
  await make({ entries: [], seq: 0 });
  assert.equal(await at(5, 'e1', 0), 0);
  await make({ entries: [], seq: 9 }); // expired: what followed the floor is not to be had
  assert.equal(await at(5, 'e1', 8), null);
  assert.equal(await at(5, 'e1', 9), 9);
  await redis.cli('HSET', `${base}:meta`, 'time', stamp(4)); // all of it was had
  assert.equal(await at(5, 'e1', 2), 9);
});

test('epochs: a floor of one that the log forgot, or of a lost end, is refused', async () => {
  const entries = [1, 2, 3, 4].map((seq) => ({ seq, time: seq * 10 }));
  await make({ entries, seq: 4, epoch: 'e3', forks: { e2: 2 } });
  assert.equal(await at(30, 'e2', 2), 3);
  assert.equal(await at(30, 'e2', 3), null);
  assert.equal(await at(30, 'e1', 1), null);
  assert.equal(await at(30, 'e3', 5), null);
});
