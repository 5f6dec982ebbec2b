// What a node makes of what Sentinels say: who is the newest, who lags, who lies, who is silent.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { login, only, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { startReplica } from '../lib/servers.mjs';
import { fakeSentinel, urlOf } from '../lib/sentinels.mjs';
import { metric } from '../lib/registry.mjs';

only('single', 'it is about Sentinels');

const links = async (redis) =>
  (await redis.cli('CLIENT', 'LIST')).split('\n').filter((line) => /name=sluice-/.test(line)).length;
const is = (node, redis) =>
  until(async () => (await links(redis)) === 2 && (await node.readyz()) === 200, {
    what: `the node is at ${redis.port}`,
    timeout: 20000,
  });
const everLinked = async (redis) =>
  Number(/total_connections_received:(\d+)/.exec(await redis.cli('INFO', 'stats'))[1]);

// Two masters that know nothing of each other, fake Sentinels, and a node.
async function scene(t, says, { urls = (all) => urlOf(...all), ...options } = {}) {
  const [a, b] = [await startRedis(), await startRedis()];
  const all = [];
  for (const one of says(a, b)) all.push(await fakeSentinel(one));
  for (const one of all) one.peers ??= [];
  const self = { a, b, all };
  self.start = async (more) => {
    self.node = await startNode({ redis: urls(all), ...options, ...more });
    return self.node;
  };
  t.after(async () => {
    await self.node?.stop();
    for (const one of all) one.close();
    for (const one of [a, b]) await one.stop();
  });
  return self;
}

// Most of them wait for a poll, which comes each 5 s.
describe('three at a time', { concurrency: 3 }, () => {
  test('the newest configuration wins at the start, whoever answers first', async (t) => {
    const it = await scene(t, (a, b) => [
      { master: a.port, epoch: 3 },
      { master: b.port, epoch: 4 },
      { master: a.port, epoch: 3 },
      { master: a.port, epoch: 3, silent: true },
    ]);
    const before = await everLinked(it.a);
    const node = await it.start();
    await is(node, it.b);
    assert.equal((await everLinked(it.a)) - before, 1, 'only this question of ours');
    assert.equal(await metric(node, 'sluice_sentinels'), 4);
    assert.equal(await metric(node, 'sluice_sentinels_answering'), 3);
  });

  test('Sentinels that tell no epoch are followed, too', async (t) => {
    const mute = { refuses: { MASTER: 'NOPERM no' } };
    const it = await scene(t, (a) => [{ master: a.port, ...mute }, { master: a.port, ...mute }, { master: a.port, ...mute }]);
    const node = await it.start();
    const [one, two, three] = it.all;
    await is(node, it.a);
    await until(() => one.hears());
    // The first to tell is right, though the others have not heard of it yet.
    one.master = it.b.port;
    one.announce(it.a.port, it.b.port);
    await is(node, it.b);
    two.master = it.b.port;
    const asked = three.asked.length;
    await until(() => three.asked.length > asked + 8, { timeout: 30000 });
    assert.equal(await links(it.b), 2);
    // Back again, found by asking alone.
    two.master = it.a.port;
    await is(node, it.a);
    assert.equal(await metric(node, 'sluice_redis_master_changes_total'), 2);
    assert.match(node.log(), /event=sentinel_tells_no_epoch .*NOPERM/);
  });

  test('of one epoch, what most of them say', async (t) => {
    const it = await scene(t, (a, b) => [
      { master: a.port, epoch: 0 },
      { master: b.port, epoch: 0 },
      { master: b.port, epoch: 0 },
    ]);
    await is(await it.start(), it.b);
  });

  test('a switch is followed at once, though the Sentinel then says nothing more', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port }, { master: a.port }]);
    const node = await it.start();
    const [one, two] = it.all;
    await until(() => one.hears() && two.hears());
    const ann = await login(node, 'ann');
    await ann.emit('private_message', { receiverId: 'bob', content: 'x' });
    one.silent = true;
    const from = Date.now();
    one.announce(it.a.port, it.b.port);
    await until(async () => (await links(it.a)) === 0, { every: 5 });
    t.diagnostic(`the links to the old master were gone after ${Date.now() - from} ms`);
    await is(node, it.b);
    // The other one still says what it said, and changes nothing; then it learns the new epoch.
    await until(() => two.asked.filter((text) => text.includes('get-master')).length > 3, { timeout: 30000 });
    assert.equal(await links(it.a), 0);
    Object.assign(two, { master: it.b.port, epoch: 2 });
    await until(async () => two.asked.length > 20, { timeout: 30000 });
    assert.equal(await links(it.b), 2);
    assert.equal(await metric(node, 'sluice_redis_master_changes_total'), 1);
  });

  test('a switch in a Sentinel that lags is taken back', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port, epoch: 7 }, { master: a.port, epoch: 7 }]);
    const node = await it.start();
    const [one] = it.all;
    await until(() => one.hears());
    // It learns of a failover of long ago.
    Object.assign(one, { master: it.b.port, epoch: 5 });
    one.announce(it.a.port, it.b.port);
    await until(() => node.log().match(/event=redis_master/g).length === 3, { what: 'there and back' });
    await is(node, it.a);
    assert.equal(await links(it.b), 0);
  });

  test('the same when the others are gone', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port, epoch: 5 }, { master: a.port, epoch: 7 }]);
    const node = await it.start();
    const [one, two] = it.all;
    await until(() => one.hears());
    two.close();
    Object.assign(one, { master: it.b.port, epoch: 6 });
    one.announce(it.a.port, it.b.port);
    await until(() => node.log().match(/event=redis_master/g).length === 3, { what: 'there and back' });
    await is(node, it.a);
  });

  test('an old Sentinel that comes back alone changes nothing', async (t) => {
    const it = await scene(t, (a, b) => [{ master: a.port, epoch: 2 }, { master: b.port, epoch: 1 }]);
    const [one, old] = it.all;
    old.close();
    const node = await it.start();
    await is(node, it.a);
    one.close();
    await old.open();
    await until(() => old.hears(), { timeout: 20000 });
    await it.a.restart(); // the node doubts, and asks
    await is(node, it.a);
    assert.equal(await links(it.b), 0);
    assert.doesNotMatch(node.log(), new RegExp(`event=redis_master.*addr=127.0.0.1:${it.b.port}`));
    await until(() => /event=sentinel_behind/.test(node.log()), { timeout: 30000 });
  });

  test('Sentinels that were set up again are believed when the master is away', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port, epoch: 9 }, { master: a.port, epoch: 9 }]);
    const node = await it.start();
    for (const one of it.all) Object.assign(one, { master: it.b.port, epoch: 0 });
    await it.a.kill();
    await node.untilNotReady();
    await is(node, it.b);
    assert.match(node.log(), /event=sentinels_began_again/);
  });

  test('news of another master, and what is no news, is ignored', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port }]);
    const node = await it.start();
    const [one] = it.all;
    await until(() => one.hears());
    const [a, b] = [`127.0.0.1 ${it.a.port}`, `127.0.0.1 ${it.b.port}`];
    const texts = [
      `other ${a} ${b}`, `mymaster ${a} 127.0.0.1`, `mymaster ${a} ${b} x`, `mymaster ${a} ${b}1`,
      `mymaster ${a} ${b.replace('127', ' 127')}`, '', 'mymaster', `mymaster ${a} 127.0.0.1 0`,
      `mymaster ${a} ${'h'.repeat(300)} 1`, `mymaster ${a} ${a}`,
    ];
    for (const text of texts) one.publish('+switch-master', text);
    for (const text of ['', 'x', 'master mymaster', `slave x @ mymaster ${a}`]) {
      for (const channel of ['+sdown', '+sentinel', '+promoted-slave']) one.publish(channel, text);
    }
    await until(() => one.asked.filter((text) => text.includes('get-master')).length > 3, { timeout: 30000 });
    assert.equal(await links(it.a), 2);
    assert.equal(node.log().match(/event=redis_master/g).length, 1);
  });

  test('hints make it ask at once', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port }]);
    await it.start();
    const [one] = it.all;
    await until(() => one.hears());
    const asks = () => one.asked.filter((text) => text.includes('get-master')).length;
    for (const [channel, text] of [
      ['+sdown', 'master mymaster 127.0.0.1 1'],
      ['+sdown', 'sentinel x 127.0.0.1 2 @ mymaster 127.0.0.1 1'],
      ['+sentinel', 'sentinel x 127.0.0.1 2 @ mymaster 127.0.0.1 1'],
      ['+promoted-slave', 'slave 127.0.0.1:2 127.0.0.1 2 @ mymaster 127.0.0.1 1'],
    ]) {
      // Without hints eight questions would take 40 s.
      const from = Date.now();
      for (let i = 0; i < 8; i++) {
        const before = asks();
        one.publish(channel, text);
        await until(() => asks() > before);
      }
      assert.ok(Date.now() - from < 20000, `${channel}: ${Date.now() - from} ms`);
    }
  });

  test('a master that is none is not served, and one that is demoted is left', async (t) => {
    const it = await scene(t, (a, b) => [{ master: b.port }]);
    const [one] = it.all;
    await it.b.cli('REPLICAOF', '127.0.0.1', it.a.port);
    const node = await it.start({ ready: false });
    const wanted = new RegExp(`^127\\.0\\.0\\.1:${it.b.port}, which the Sentinels name as the master: this Redis is not a master`);
    await until(async () => wanted.test((await node.get('/readyz')).json().detail));
    await it.b.cli('REPLICAOF', 'NO', 'ONE');
    await is(node, it.b);
    // Demoted, its links stay open: the first answer READONLY ends them, and the Sentinels are asked.
    await it.b.cli('REPLICAOF', '127.0.0.1', it.a.port);
    Object.assign(one, { master: it.a.port, epoch: 2 });
    await is(node, it.a);
    assert.match(node.log(), /no longer the master/);
  });

  test('one that is silent is given up, and the poll finds the news that nobody told', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port }, { master: a.port, refuses: { SUBSCRIBE: 'NOPERM no' } }]);
    const node = await it.start({ args: ['--redis-timeout', '500ms'] });
    const [one, two] = it.all;
    await until(() => one.hears());
    one.silent = true;
    await until(async () => (await metric(node, 'sluice_sentinels_answering')) === 1, { timeout: 30000 });
    Object.assign(two, { master: it.b.port, epoch: 2 });
    await is(node, it.b);
    assert.match(node.log(), /level=warn event=sentinel_lost .*in time/);
    assert.match(node.log(), /level=warn event=sentinel_tells_no_news/);
  });

  test('Sentinels are learnt, once each, and those that are gone are forgotten', async (t) => {
    const it = await scene(
      t,
      (a) => [{ master: a.port }, { master: a.port }, { master: a.port }],
      { urls: ([one]) => `redis+sentinel://localhost:${one.port},127.0.0.1:1/mymaster` },
    );
    const [one, two, three] = it.all;
    one.peers = [two, three];
    two.peers = [one, three]; // it tells 127.0.0.1 for what the URL calls localhost
    const node = await it.start();
    const known = (n, m) =>
      until(async () => (await metric(node, 'sluice_sentinels')) === n && (await metric(node, 'sluice_sentinels_answering')) === m, { timeout: 30000, what: `${n} are known, ${m} answer` });
    await known(4, 3);
    await until(() => two.hears());
    // The one of the URL dies; one that was learnt tells the news.
    one.close();
    await known(4, 2);
    Object.assign(two, { master: it.b.port, epoch: 2 });
    two.announce(it.a.port, it.b.port);
    await is(node, it.b);
    // One that nobody knows any more is forgotten when it is gone.
    two.peers = [one];
    await known(4, 2);
    three.close();
    await known(3, 1);
  });

  test('an address that cannot be reached is told, and the next one is taken', async (t) => {
    const it = await scene(t, () => [{ master: 1 }]);
    const node = await it.start({ ready: false });
    const detail = async () => (await node.get('/readyz')).json().detail;
    await until(async () => /^127\.0\.0\.1:1, which the Sentinels name as the master: .*refused/.test(await detail()));
    it.all[0].flags = 'master,s_down,o_down';
    await until(async () => /refused \(they hold it for down\)$/.test(await detail()));
    it.all[0].flags = 'master,s_down';
    await until(async () => /refused$/.test(await detail()));
    it.all[0].master = { host: 'no.such.host.invalid', port: 6379 };
    it.all[0].epoch = 2;
    await until(async () => /^no\.such\.host\.invalid:6379, which/.test(await detail()), { timeout: 20000 });
    it.all[0].master = { host: 'localhost', port: it.b.port };
    it.all[0].epoch = 3;
    await is(node, it.b);
  });

  test('one master after the other within milliseconds', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port }]);
    const node = await it.start();
    const [one] = it.all;
    await until(() => one.hears());
    let [here, there] = [it.a.port, it.b.port];
    for (let i = 0; i < 25; i++) {
      Object.assign(one, { master: there, epoch: one.epoch + 1 });
      one.announce(here, there);
      [here, there] = [there, here];
      if (i % 5 === 0) await until(() => one.asked.length > 0);
    }
    await is(node, it.b);
    assert.equal(await links(it.a), 0);
  });

  test('the master is left before a replica is promoted, and taken again if nothing comes of it', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port }]);
    const node = await it.start();
    const [one] = it.all;
    await until(() => one.hears());
    const news = `slave 127.0.0.1:2 127.0.0.1 ${it.b.port} @ mymaster 127.0.0.1 ${it.a.port}`;
    one.publish('+selected-slave', news.replace('mymaster', 'other'));
    one.publish('+selected-slave', news);
    await until(async () => (await links(it.a)) === 0);
    const { detail } = (await node.get('/readyz')).json();
    assert.match(detail, /the Sentinels are about to promote a replica/);
    await is(node, it.a);
    // Now it comes to something, without +switch-master.
    one.publish('+selected-slave', news);
    await until(async () => (await links(it.a)) === 0);
    Object.assign(one, { master: it.b.port, epoch: 2 });
    one.publish('+promoted-slave', news);
    await is(node, it.b);
    assert.equal(node.log().match(/event=redis_failover/g).length, 2);
  });

  test('with redis-wait its link goes along', async (t) => {
    const it = await scene(t, (a) => [{ master: a.port }]);
    const replicas = [await startReplica(it.a), await startReplica(it.b)];
    t.after(async () => {
      for (const one of replicas) await one.stop();
    });
    const node = await it.start({ args: ['--redis-wait', '1:10000'] });
    const [one] = it.all;
    await until(() => one.hears());
    const here = (redis) => until(async () => (await links(redis)) === 3 && (await node.readyz()) === 200, { timeout: 20000 });
    await here(it.a);
    const ann = await login(node, 'ann');
    const send = () => ann.emit('private_message', { receiverId: 'bob', content: 'x' });
    await send();
    one.publish('+selected-slave', 'slave x @ mymaster 1 1');
    await until(async () => (await links(it.a)) === 0);
    Object.assign(one, { master: it.b.port, epoch: 2 });
    one.announce(it.a.port, it.b.port);
    await here(it.b);
    await until(() => send().catch(() => false));
    assert.equal(await links(it.a), 0);
  });
});
