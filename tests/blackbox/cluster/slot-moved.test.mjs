// A slot is moved under load, in the way of all versions of Redis: none of its messages is lost or
// comes twice, and a send that meets the move waits at most 2 s.
import assert from 'node:assert/strict';
import { login, sleep, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { busy } from '../lib/cluster-talk.mjs';
import { range } from '../lib/frames.mjs';

// Where it moves from and to, and how long each step of it lasts.
for (const [what, pause] of [['quickly', 0], ['with 300 ms between its steps', 300]]) {
  test(`there and back, ${what}`, async (t) => {
    const { it, channels, talks, judge } = await busy(t, { cluster: { replicas: 0 } });
    const slot = it.slotOf(it.key(channels[0]));
    const home = await it.masterOf(slot);
    const away = (await it.masters()).find((one) => one !== home);
    for (const to of [away, home]) {
      const moved = await it.moveSlot(slot, to, { bite: 20, step: () => sleep(pause) });
      assert.ok(moved > 0);
      for (const one of talks) await one.more(10);
    }
    const { lost, gap } = await judge();
    t.diagnostic(`nothing was appended to a channel for ${gap} ms at most`);
    assert.deepEqual(lost, []);
  });
}

test('a move that stops half way: held for 2 s, then refused, until it ends', async (t) => {
  const { it, channels, talks, judge, failures } = await busy(t, { cluster: { replicas: 0 } });
  const slot = it.slotOf(it.key(channels[0]));
  const home = await it.masterOf(slot);
  const to = (await it.masters()).find((one) => one !== home);
  const refusals = () => failures().filter(({ outcome }) => outcome === 'refused').length;
  await it.moveSlot(slot, to, {
    bite: 5,
    async step(name) {
      if (name !== 'moved' || refusals()) return;
      for (let waited = 0; !refusals(); waited += 50) {
        assert.ok(waited < 20000, 'it is refused in the end');
        await sleep(50);
      }
    },
  });
  for (const one of talks) await one.more(10);
  const { lost } = await judge();
  assert.deepEqual(lost, []);
  assert.ok(failures().every(({ outcome }) => outcome === 'refused'), 'nothing was unknown');
});

test('a script that is refused when it is sent first, is sent whole again', async (t) => {
  const it = await startCluster({ replicas: 0 });
  const node = await startNode({ redis: it.url });
  t.after(async () => {
    await node.stop();
    await it.stop();
  });
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  const slot = it.slotOf(it.key('room:r'));
  const home = await it.masterOf(slot);
  const to = (await it.masters()).find((one) => one !== home);
  const errors = () => it.on(home, 'INFO', 'errorstats');
  await it.on(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', it.idOf(home));
  await it.on(home, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', it.idOf(to));
  const refused = async () => /ASK|TRYAGAIN/.test(await errors());
  await it.on(home, 'CONFIG', 'RESETSTAT');
  const sent = range(1, 20).map((message) => ann.emit('sendMessage', { room: 'r', message }));
  await until(refused);
  for (const one of [home, to]) await it.on(one, 'CLUSTER', 'SETSLOT', slot, 'STABLE');
  await Promise.all(sent);
  assert.doesNotMatch(await errors(), /NOSCRIPT/);
});
