// Slots that move as a whole, as Valkey 9 and Redis 8.4 can: nobody is refused, nothing is lost.
import assert from 'node:assert/strict';
import { test, until } from '../lib/harness.mjs';
import { busy } from '../lib/cluster-talk.mjs';

// How this server does it: (it, from, to, first, last) => Promise; null: it cannot.
async function wayOf(server) {
  const help = (await server.ask(['CLUSTER', 'HELP']))[0].join(' ');
  const send = async (to, ...words) => {
    const [reply] = await to.ask(['CLUSTER', ...words]);
    if (reply instanceof Error) throw reply;
  };
  if (help.includes('MIGRATESLOTS')) {
    return (it, from, to, ...range) =>
      send(from, 'MIGRATESLOTS', 'SLOTSRANGE', ...range, 'NODE', it.idOf(to));
  }
  if (help.includes('MIGRATION')) return (it, from, to, ...range) => send(to, 'MIGRATION', 'IMPORT', ...range);
  return null;
}

test('all slots of a master, and back', async (t) => {
  const { it, channels, talks, judge, failures } = await busy(t, { cluster: { replicas: 0 } });
  const move = await wayOf(it.servers[0]);
  if (!move) return t.skip('this server moves keys one by one: Valkey 9 and Redis 8.4 can do it');
  const slot = it.slotOf(it.key(channels[0]));
  const home = await it.masterOf(slot);
  const away = (await it.masters()).find((one) => one !== home);
  const [[first, last]] = (await it.view()).find(({ server }) => server === home).slots;
  for (const [from, to] of [[home, away], [away, home]]) {
    await move(it, from, to, first, last);
    await until(async () => (await it.masterOf(slot)) === to, { timeout: 30000, what: 'the slots moved' });
    for (const one of talks) await one.more(10);
  }
  await it.untilWell();
  const { lost, gap } = await judge();
  t.diagnostic(`nothing was appended to a channel for ${gap} ms at most`);
  assert.deepEqual(lost, []);
  assert.deepEqual(failures(), [], 'nobody was refused');
});
