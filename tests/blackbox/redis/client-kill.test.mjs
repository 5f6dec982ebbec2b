// CLIENT KILL of the nodes' links while messages flow: live sockets miss nothing, get nothing twice.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, sleep, test, until } from '../lib/harness.mjs';
import { count, fence, scores } from '../lib/registry.mjs';
import { assertHeard, assertLogged, talk } from '../lib/talk.mjs';

async function underKills(t, kill) {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--lease-interval', '200ms'] });
  t.after(stop);
  const [ann, bob, cat] = await inRoom([nodes[0], nodes[1], nodes[1]], 'r', 'ann', 'bob', 'cat');
  const talks = [talk(ann, { room: 'r' }), talk(bob, { room: 'r' }), talk(cat, { peer: 'ann' })];
  for (let i = 0; i < 6; i++) {
    await kill(redis, i);
    await sleep(i * 15); // at different points of coming back
    await kill(redis, i);
    await Promise.all(talks.map((one) => one.more(10)));
  }
  const [annSaid, bobSaid, catSaid] = await Promise.all(talks.map((one) => one.stop()));
  for (const client of [ann, bob, cat]) {
    await assertHeard(client, 'chatMessage', 'ann', annSaid);
    await assertHeard(client, 'chatMessage', 'bob', bobSaid);
    const seqs = chats(client).map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      Array.from({ length: seqs.length }, (_, i) => i + 1),
    );
    await client.none('channel_reset');
  }
  await assertHeard(ann, 'new_private_message', 'cat', catSaid);
  await assertLogged(redis, 'room:r', 'ann', talks[0].acked);
  await assertLogged(redis, 'user:ann', 'cat', talks[2].acked);
  const online = async () =>
    Object.keys(await scores(redis, 'sluice:online'))
      .sort()
      .join();
  await until(async () => (await online()) === 'ann,bob,cat');
  await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 2, {
    what: 'leases of former incarnations are gone',
  });
  for (const node of nodes) await node.untilReady();
  await fence(redis, [ann, bob, cat]);
  for (const client of [ann, bob, cat]) assert.equal(count(client, 'user_offline'), 0);
}

const of = (type) => (redis) => redis.cli('CLIENT', 'KILL', 'TYPE', type);

test('TYPE pubsub', (t) => underKills(t, of('pubsub')));
test('TYPE normal', (t) => underKills(t, of('normal')));
test('both', (t) => underKills(t, (redis, i) => of(i % 2 ? 'pubsub' : 'normal')(redis)));
