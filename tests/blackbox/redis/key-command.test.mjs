// `sluice key`: where the keys of a channel are.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { startCluster } from '../lib/cluster.mjs';
import { cluster, freePort, login, only, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { masterPort, sentinelCluster } from '../lib/sentinels.mjs';

only('single', 'it starts each kind of Redis itself');

const run = (args, env = {}) => runProgram(['key', ...args], { env });
const block = (lines) =>
  Object.fromEntries(lines.split('\n').map((line) => line.match(/^(\w+) +(\S+)$/).slice(1)));
const blocks = (out) => out.replace(/\n$/, '').split('\n\n').map(block);

// Resolves to what it prints, a record for each name.
async function keys(args, env) {
  const { code, out, err } = await run(args, env);
  assert.deepEqual([code, err], [0, '']);
  return blocks(out);
}

test('with one Redis it prints the key that is there, and no partition', async (t) => {
  const { nodes: [node], redis, stop } = await cluster({ nodes: 1, args: ['--prefix', 'chat:'] });
  t.after(stop);
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'lobby' });
  await ann.emit('private_message', { receiverId: 'zoe', content: 'hi' });
  await ann.emit('sendMessage', { room: 'lobby', message: 'hi' });
  const names = ['room:lobby', 'user:ann', 'dm:zoe:ann', 'topic:news', 'all'];
  const all = await keys([...names, '--redis-url', redis.url, '--prefix=chat:']);
  const master = new URL(redis.url).host;
  const bases = ['room:lobby', 'user:ann', 'dm:ann:zoe', 'topic:news', 'all'];
  assert.deepEqual(all, bases.map((base) => ({ key: `chat:{${base}}`, master })));
  const { out } = await run([...names, '--json', '--redis-url', redis.url, '--prefix=chat:']);
  const lines = out.trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines, bases.map((name) => ({ name, key: `chat:{${name}}`, master })));
  for (const { key } of all.slice(0, 3)) assert.equal(await redis.cli('EXISTS', `${key}:log`), '1');
});

test('options come from the environment and from a file, and names may stand after them', async (t) => {
  const redis = await startRedis();
  t.after(redis.stop);
  const config = path.join(tempDir('key'), 'sluice.conf');
  fs.writeFileSync(config, `redis-url = ${redis.url.replace(/\/0$/, '/3')}\n`);
  const expected = [{ key: 'sluice3:{room:a}', master: new URL(redis.url).host }];
  assert.deepEqual(await keys(['--presence-all', '--config', config, 'room:a']), expected);
  assert.deepEqual(await keys(['room:a'], { SLUICE_REDIS_URL: redis.url.replace(/\/0$/, '/3') }), expected);
});

test('with a Cluster it prints partition, slot and master, also after a failover', async (t) => {
  const servers = await startCluster({ password: 'a+secret' });
  t.after(() => servers.stop());
  const names = ['room:lobby', 'user:ann', 'dm:ann:zoe', 'topic:news', 'all'];
  const url = servers.url.replace('a+secret', 'a%2Bsecret');
  const look = async () => {
    const said = await keys(['--redis-url', url, ...names]);
    for (const [i, name] of names.entries()) {
      const key = servers.key(name);
      const master = `127.0.0.1:${(await servers.masterOf(key)).port}`;
      const [partition, slot] = [String(servers.partition(name)), String(servers.slotOf(key))];
      assert.deepEqual(said[i], { key, partition, slot, master });
    }
    const { out } = await run(['--json', '--redis-url', url, names[0]]);
    const { key, partition, slot, master } = said[0];
    const first = { name: names[0], key, partition: Number(partition), slot: Number(slot), master };
    assert.deepEqual(JSON.parse(out), first);
  };
  await look();
  const [masters] = [await servers.masters()];
  assert.equal(await servers.cli('EXISTS', 'sluice:partitions'), '0', 'it has written nothing');
  await servers.failover(await servers.masterOf(servers.key('room:lobby')));
  assert.notDeepEqual(await servers.masters(), masters);
  await look();

  // The nodes have agreed on another number.
  await servers.cli('SET', 'sluice:partitions', 32);
  const { code, out, err } = await run(['--redis-url', url, 'room:lobby']);
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /use 32 partitions, and redis-partitions says 16/);
  const [more] = await keys(['--redis-url', url, '--redis-partitions', '32', 'room:lobby']);
  assert.equal(more.slot, String(servers.slotOf(more.key)));
  const wrong = await run(['--redis-url', url.replace('a%2Bsecret', 'x'), 'room:lobby']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /refuses the password/);
});

test('Sentinels are asked for the master', async (t) => {
  const all = await sentinelCluster();
  t.after(() => all.stop());
  const args = ['--redis-url', all.url, 'room:a'];
  const expected = async () => [{ key: 'sluice:{room:a}', master: `127.0.0.1:${(await all.master()).port}` }];
  const before = await expected();
  assert.deepEqual(await keys(args), before);
  await all.failover();
  const moved = async () => (await expected())[0].master !== before[0].master;
  await until(moved, { timeout: 30000, what: 'the first Sentinel names the new master' });
  for (const one of all.sentinels) {
    await until(async () => (await masterPort(one)) === (await masterPort(all.sentinels[0])));
  }
  assert.deepEqual(await keys(args), await expected());
});

test('without Redis the key is printed all the same, and the reason told', async (t) => {
  const silent = net.createServer(() => {}).listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await new Promise((resolve) => silent.once('listening', resolve));
  for (const port of [await freePort(), silent.address().port]) {
    for (const scheme of ['redis', 'redis+cluster', 'redis+sentinel']) {
      const url = `${scheme}://127.0.0.1:${port}${scheme.endsWith('sentinel') ? '/main' : ''}`;
      const from = Date.now();
      const { code, out, err } = await run(['room:lobby', '--redis-url', url, '--redis-timeout', '1s']);
      assert.ok(Date.now() - from < 10000, 'it does not wait for long');
      assert.equal(code, 1, url);
      assert.match(err, /^sluice: key: the master is not known: .+\n$/);
      const [said] = blocks(out);
      const expected = { key: 'sluice:{29}room:lobby', partition: '8', slot: '1165' };
      assert.deepEqual(said, scheme === 'redis+cluster' ? expected : { key: 'sluice:{room:lobby}' });
    }
  }
});

test('a Redis of another kind is named as that', async (t) => {
  const redis = await startRedis();
  t.after(redis.stop);
  const { code, err } = await run(['all', '--redis-url', redis.url.replace('redis:', 'redis+cluster:')]);
  assert.equal(code, 1);
  assert.match(err, /not in cluster mode/);
});

test('wrong names and options are refused', async () => {
  const long = 'x'.repeat(129);
  const names = [
    'lobby', 'room:', 'room:a b', 'room:a{b}', `topic:${long}`, 'user:', 'user:a:b', 'dm:a', 'dm::b',
    'dm:a:', 'dm:a:b:c', 'alle', 'sio:x', '', 'ROOM:a',
  ];
  for (const name of names) {
    const { code, out, err } = await run([name]);
    assert.deepEqual([code, out], [2, ''], name);
    assert.match(err, /^sluice: key: .+\n$/);
  }
  for (const args of [[], ['all', '--nonsense'], ['all', '--redis-partitions', '17'], ['all', '--redis-url', 'http://x']]) {
    const { code, out, err } = await run(args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, /^sluice: .+\n$/);
  }
  const { code, out } = await run(['--help']);
  assert.equal(code, 0);
  assert.match(out, /^Usage: sluice key NAME\.\.\. \[--json\] \[options\]\n/);
});
