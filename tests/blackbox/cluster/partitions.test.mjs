// redis-partitions is what the first node said: one that says otherwise stops, and says so.
import assert from 'node:assert/strict';
import { login, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { runProgram } from '../lib/program.mjs';

const run = (url, ...args) =>
  runProgram(['--listen', '127.0.0.1:0', '--redis-url', url, ...args]);

test('a node that says otherwise stops, while the first goes on', async (t) => {
  for (const [first, other] of [[16, 32], [64, 16]]) {
    const it = await startCluster({ replicas: 0, partitions: first });
    const own = first === 16 ? [] : ['--redis-partitions', String(first)];
    const node = await startNode({ redis: it.url, args: own });
    const { code, late, all } = await run(it.url, '--redis-partitions', String(other));
    assert.equal(late, false, 'it ended by itself');
    assert.notEqual(code, 0);
    assert.match(all, /redis-partitions/);
    assert.match(all, new RegExp(`\\b${first}\\b`));
    assert.match(all, new RegExp(`\\b${other}\\b`));
    const same = await startNode({ redis: it.url, args: own });
    const ann = await login(node, 'ann');
    await ann.emit('join', { room: 'r' });
    assert.equal(await it.cli('ZCARD', it.key('room:r', 'members')), '1');
    for (const one of [node, same]) await one.stop();
    await it.stop();
  }
});

test('of two that start at once and differ, one stops', async (t) => {
  const it = await startCluster({ replicas: 0 });
  t.after(() => it.stop());
  const begin = (n) =>
    startNode({ redis: it.url, args: ['--redis-partitions', n], ready: false, shown: false });
  const begun = await Promise.allSettled([begin('32'), begin('64')]);
  const nodes = begun.filter(({ value }) => value).map(({ value }) => value);
  t.after(() => Promise.all(nodes.map((node) => node.kill())));
  const status = (node) => node.readyz().catch(() => 'gone');
  const settled = async () => {
    const all = await Promise.all(nodes.map(status));
    return all.includes(200) && all.every((one) => one === 200 || one === 'gone') && all;
  };
  const all = await until(settled, { timeout: 20000, what: 'one is ready, the other has ended' });
  assert.equal(all.filter((one) => one === 200).length, 1);
});

test('only 16, 32 and 64 are numbers of partitions', async () => {
  for (const n of ['0', '1', '15', '17', '48', '128', '-16', 'x', '']) {
    const { code, late, all } = await run('redis+cluster://127.0.0.1:1', `--redis-partitions=${n}`);
    assert.equal(late, false, n);
    assert.notEqual(code, 0, n);
    assert.match(all, /redis-partitions/, n);
  }
});
