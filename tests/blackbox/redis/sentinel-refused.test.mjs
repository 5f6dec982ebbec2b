// What goes wrong with Sentinels is told at /readyz and in the log; passwords are not.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { inRoom, login, only, ROOT, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { fakeSentinel, MASTER, sentinelCluster, startSentinel } from '../lib/sentinels.mjs';

only('single', 'it is about Sentinels');

async function refused(t, url, why, options = {}) {
  const node = await startNode({ redis: url, ready: false, ...options });
  t.after(() => node.stop());
  let told;
  const detail = async () => why.test((told = (await node.get('/readyz')).json()).detail);
  await until(detail, { what: `${why} in /readyz`, timeout: 10000 }).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(told)}`);
  });
  assert.equal(told.reason, 'redis');
  return node;
}

test('a wrong name, nobody there, a Redis in the place of a Sentinel', async (t) => {
  const redis = await startRedis();
  const sentinel = await startSentinel(redis.port);
  t.after(async () => {
    await sentinel.stop();
    await redis.stop();
  });
  const at = (port, name = MASTER) => `redis+sentinel://127.0.0.1:${port}/${name}`;
  const node = await refused(t, at(sentinel.port, 'other'), /"other".*watches no master "other"/);
  await until(() => /event=sentinel_lost .*watches no master/.test(node.log()));
  await refused(t, at(1), /127\.0\.0\.1:1: connection refused/);
  await refused(t, at(redis.port), /does not answer SENTINEL: ERR unknown command/);
  await refused(t, 'redis+sentinel://no.such.host.invalid/m', /no\.such\.host\.invalid:26379: /);
  // One that knows it, beside others that do not.
  const mixed = `redis+sentinel://127.0.0.1:1,127.0.0.1:${redis.port},127.0.0.1:${sentinel.port}/${MASTER}`;
  const good = await startNode({ redis: mixed });
  await good.stop();
});

test('a name that is watched only later is found', async (t) => {
  const redis = await startRedis();
  const sentinel = await startSentinel(redis.port, { name: 'first' });
  t.after(async () => {
    await sentinel.stop();
    await redis.stop();
  });
  const node = await refused(t, `redis+sentinel://127.0.0.1:${sentinel.port}/later`, /watches no master/);
  await sentinel.cli('SENTINEL', 'MONITOR', 'later', '127.0.0.1', redis.port, 1);
  await node.untilReady({ timeout: 10000 });
});

test('a plain redis:// to a Sentinel, with and without a database', async (t) => {
  const redis = await startRedis();
  const sentinel = await startSentinel(redis.port);
  t.after(async () => {
    await sentinel.stop();
    await redis.stop();
  });
  const why = new RegExp(`this is a Sentinel.*redis\\+sentinel://127\\.0\\.0\\.1:${sentinel.port}/NAME`);
  for (const path of ['', '/0', '/3']) {
    const node = await refused(t, `redis://127.0.0.1:${sentinel.port}${path}`, why);
    assert.match(node.log(), why);
  }
});

test('a plain redis:// to a Redis in cluster mode, also with a database', async (t) => {
  const redis = await startRedis({ config: { 'cluster-enabled': 'yes' } });
  t.after(() => redis.stop());
  for (const path of ['/0', '/1']) {
    await refused(t, `redis://127.0.0.1:${redis.port}${path}`, /cluster mode.*redis\+cluster:\/\/127\.0\.0\.1:\d+/);
  }
});

test('passwords of Redis and of Sentinels are two things, and stand nowhere', async (t) => {
  const it = await sentinelCluster({
    password: 's3cret-redis',
    sentinel: { config: ['requirepass s3cret-sentinel', 'sentinel sentinel-pass s3cret-sentinel'], auth: ['s3cret-sentinel'] },
  });
  t.after(it.stop);
  const env = { SLUICE_REDIS_SENTINEL_PASSWORD: 's3cret-sentinel' };
  const nodes = [];
  nodes.push(await startNode({ redis: it.url, env, args: ['--log-level', 'debug'] }));
  t.after(() => nodes[0].stop());
  const ann = await login(nodes[0], 'ann');
  assert.ok(ann.isOpen);
  const bare = it.url.replace(/:s3cret-redis@/, '');
  nodes.push(await refused(t, it.url, /NOAUTH/));
  nodes.push(await refused(t, it.url, /the Sentinel refuses the password or user: WRONGPASS/, { env: { SLUICE_REDIS_SENTINEL_PASSWORD: 'wr0ng-one' } }));
  nodes.push(await refused(t, bare, /which the Sentinels name as the master: .*NOAUTH/, { env }));
  nodes.push(await refused(t, it.url.replace('s3cret-redis', 'wr0ng-one'), /which the Sentinels name as the master: Redis refuses the password.*WRONGPASS/, { env }));
  for (const node of nodes) {
    const pages = await Promise.all(['/readyz', '/metrics', '/healthz'].map(async (where) => (await node.get(where)).body));
    assert.doesNotMatch(node.log() + pages.join(), /s3cret|wr0ng/);
  }
});

test('a user of the Sentinels with no more rights than needed', async (t) => {
  const redis = await startRedis();
  const rights = '-@all +auth +client|setname +ping +subscribe +sentinel|myid +sentinel|master +sentinel|get-master-addr-by-name +sentinel|sentinels';
  const sentinel = await startSentinel(redis.port, { config: [`user sluice on >s3cret &* ${rights}`] });
  t.after(async () => {
    await sentinel.stop();
    await redis.stop();
  });
  const url = `redis+sentinel://127.0.0.1:${sentinel.port}/${MASTER}`;
  const args = ['--redis-sentinel-user', 'sluice'];
  const node = await startNode({ redis: url, args, env: { SLUICE_REDIS_SENTINEL_PASSWORD: 's3cret' } });
  t.after(() => node.stop());
  assert.doesNotMatch(node.log(), /NOPERM|sentinel_lost|tells_no_news/);
  await sentinel.cli('ACL', 'SETUSER', 'sluice', '-sentinel|get-master-addr-by-name');
  await refused(t, url, /does not answer SENTINEL: NOPERM/, { args, env: { SLUICE_REDIS_SENTINEL_PASSWORD: 's3cret' } });
});

test('the rules that OPERATIONS.md gives for Sentinels and for Redis are enough, over a failover, too', async (t) => {
  const text = fs.readFileSync(path.join(ROOT, 'deploy/OPERATIONS.md'), 'utf8');
  const [, ofSentinels] = text.match(/ACL SETUSER sluice on >SECRET (allchannels .*)/);
  const [, ofRedis] = text.match(/ACL SETUSER sluice on >SECRET (resetkeys .*\+select.*)/);
  const it = await sentinelCluster({ sentinel: { config: [`user sluice on >s3cret ${ofSentinels}`] } });
  for (const server of it.servers) {
    const [made] = await server.ask(['ACL', 'SETUSER', 'sluice', 'on', '>s3cret', ...ofRedis.split(' ')]);
    assert.equal(made, 'OK');
  }
  const nodes = await Promise.all(
    [1, 2].map(() =>
      startNode({
        redis: it.url.replace('://', '://sluice:s3cret@'),
        args: ['--redis-sentinel-user', 'sluice', '--redis-wait', '1:5000', '--drain', '0'],
        env: { SLUICE_REDIS_SENTINEL_PASSWORD: 's3cret' },
      }),
    ),
  );
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const talk = async (message) => {
    await until(() => ann.emit('sendMessage', { room: 'r', message }).then(() => true), { timeout: 30000 });
    await bob.next('chatMessage', { match: ({ data }) => data.message === message, timeout: 30000 });
  };
  await talk('before');
  const next = await it.replica();
  await it.failover();
  await until(async () => (await it.master()) === next, { timeout: 30000 });
  for (const node of nodes) await node.untilReady({ timeout: 30000 });
  await talk('after');
  await ann.emit('all_member', { room: 'r' });
  for (const node of nodes) assert.doesNotMatch(node.log(), /NOPERM|redis_client_kill|tells_no_news/);
});

test('bad URLs and options stop the start, and show no password', async () => {
  const run = (url, ...args) => runProgram(['--listen', '127.0.0.1:0', '--redis-url', url, ...args]);
  for (const [url, why] of [
    ['redis+sentinel://h', /name of the master is missing/],
    ['redis+sentinel://h/', /name of the master is missing/],
    ['redis+sentinel://u:s3cret@h', /name of the master is missing/],
    ['redis+sentinel:///m', /host is missing/],
    ['redis+sentinel://a,,b/m', /host is missing/],
    ['redis+sentinel://a,b:0/m', /port must be/],
    ['redis+sentinel://:s3cret@[::1/m', /closing bracket/],
    ['redis+sentinel://a, b/m', /comma/],
    ['redis+sentinel://a/m/x', /database/],
    ['redis+sentinel://a/m n', /name of the master/],
    ['rediss+sentinel://a', /name of the master is missing/],
    ['redis+sentinels://a/m', /must begin with .*redis\+sentinel:\/\//],
  ]) {
    const { code, err } = await run(url);
    assert.equal(code, 1, url);
    assert.match(err, why);
    assert.match(err, /command line: redis-url is "/);
    assert.doesNotMatch(err, /s3cret/);
  }
  const plain = 'redis://127.0.0.1:1';
  for (const [url, args, why] of [
    [plain, ['--redis-sentinel-user', 'u'], /redis-sentinel-user is "u": is for a redis-url that begins with redis\+sentinel:/],
    [plain, ['--redis-sentinel-password', 's3cret'], /redis-sentinel-password: is for a redis-url that begins with/],
    ['redis+sentinel://h/m', ['--redis-sentinel-password', 's3cret'.repeat(100)], /redis-sentinel-password: must have at most 511 bytes/],
    ['redis+sentinel://h/m', ['--redis-ca', '/nowhere'], /redis-ca is .*rediss\+sentinel:/],
    ['rediss+sentinel://h/m', ['--redis-ca', '/nowhere'], /redis-ca is .*No such file/],
  ]) {
    const { code, err } = await run(url, ...args);
    assert.equal(code, 1, err);
    assert.match(err, why);
    assert.doesNotMatch(err, /s3cret/);
  }
});

test('what is no Sentinel at all, and answers of any form', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  for (const [more, why] of [
    [{ refuses: { 'GET-MASTER-ADDR-BY-NAME': 'ERR no' } }, /does not answer SENTINEL: ERR no/],
    [{ refuses: { SENTINEL: 'ERR no' } }, /does not answer SENTINEL: ERR no/],
    [{ master: { host: '', port: 1 } }, /watches no master/],
    [{ master: { host: '127.0.0.1', port: 65536 } }, /watches no master/],
    [{ master: null }, /watches no master/],
    [{ refuses: { PING: 'NOAUTH no' } }, /the Sentinel answers PING with an error: NOAUTH no/],
  ]) {
    const one = await fakeSentinel({ master: redis.port, ...more });
    const node = await refused(t, one.url, why);
    Object.assign(one, { master: redis.port, refuses: {}, epoch: 1 });
    await node.untilReady();
    one.close();
  }
});
