// The promise: what is acknowledged reaches everyone who comes back, exactly once, in order,
// whatever node dies, whenever the Redis link drops.
//
// CHAOS_SEED and CHAOS_ROUNDS: another order of faults, more of them.
import assert from 'node:assert/strict';
import { cluster, sleep, startNode, test, until } from './lib/harness.mjs';
import { scores } from './lib/registry.mjs';
import { Roamer } from './lib/roamer.mjs';
import { assertLogged } from './lib/talk.mjs';

const SEED = Number(process.env.CHAOS_SEED || 7);
const ROUNDS = Number(process.env.CHAOS_ROUNDS || 2);

// mulberry32
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(list, random) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const k = Math.floor(random() * (i + 1));
    [out[i], out[k]] = [out[k], out[i]];
  }
  return out;
}

test(
  `everything acknowledged arrives once, in order (seed ${SEED})`,
  { timeout: 120000 * ROUNDS },
  async () => {
    const random = generator(SEED);
    const args = [
      '--lease-timeout',
      '1s',
      '--lease-interval',
      '200ms',
      '--redis-timeout',
      '1s',
      '--drain',
      '100ms',
    ];
    const first = await cluster({ nodes: 3, args });
    const { redis } = first;
    let nodes = [...first.nodes];
    const pick = () => nodes[Math.floor(random() * nodes.length)];
    const replace = async (gone, how) => {
      nodes = nodes.filter((node) => node !== gone);
      await how(gone);
      nodes = [...nodes, await startNode({ redis, args, ready: false })];
    };

    const options = { nodes: () => nodes, room: 'r', random };
    const all = ['ann', 'bob', 'cat', 'dan'].map((user) => new Roamer(user, options));
    const [ann, bob, cat, dan] = all;
    for (const one of all) await one.here();
    for (const one of [ann, bob]) one.talk('sendMessage', (message) => ({ room: 'r', message }));
    cat.talk('private_message', (content) => ({ receiverId: 'dan', content }));
    dan.talk('private_message', (content) => ({ receiverId: 'cat', content }));

    const faults = {
      'a client is cut': () => all[Math.floor(random() * 4)].client?.terminate(),
      'all clients are cut': () => all.forEach((one) => one.client?.terminate()),
      'a client closes': () => all[Math.floor(random() * 4)].client?.close(),
      'command links are killed': () => redis.cli('CLIENT', 'KILL', 'TYPE', 'normal'),
      'subscriber links are killed': () => redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub'),
      'scripts are flushed': () => redis.cli('SCRIPT', 'FLUSH'),
      'a node is killed': () => replace(pick(), (node) => node.kill()),
      'a node is told to end': () => replace(pick(), (node) => node.stop()),
      'a node stands still': async () => {
        const node = pick();
        node.suspend();
        await sleep(1500 + 500 * random());
        node.resume();
      },
      'Redis is killed': async () => {
        await redis.kill();
        await sleep(200 * random());
        await redis.restart();
      },
      'Redis stands still': async () => {
        redis.pause();
        await sleep(1500 * random());
        redis.resume();
      },
    };

    const done = [];
    try {
      for (let round = 0; round < ROUNDS; round++) {
        for (const name of shuffled(Object.keys(faults), random)) {
          done.push(name);
          await faults[name]();
          await Promise.all(all.map((one) => one.more(1 + Math.floor(3 * random()))));
        }
      }
      await Promise.all(all.map((one) => one.stopTalking()));

      const heard = (one, event, from) => {
        const frames = (one.client?.frames ?? []).map(({ event: name, data }) => ({
          event: name,
          from: data?.userId ?? data?.senderId,
          text: data?.message ?? data?.content,
        }));
        return [...one.heard, ...frames]
          .filter((item) => item.event === event && item.from === from)
          .map(({ text }) => text);
      };
      const expected = [
        ...all.flatMap((one) => [ann, bob].map((from) => [one, 'chatMessage', from])),
        [dan, 'new_private_message', cat],
        [cat, 'new_private_message', dan],
      ];
      for (const [one, event, from] of expected) {
        const texts = from.acked.map(({ text }) => text);
        await until(() => heard(one, event, from.user).includes(texts.at(-1)), {
          timeout: 20000,
          what: `${one.user} has heard ${texts.at(-1)}`,
        });
        assert.deepEqual(heard(one, event, from.user), texts, `${one.user} of ${from.user}`);
      }
      for (const one of all) assert.deepEqual(one.losses, [], `${one.user} lost nothing`);
      await assertLogged(redis, 'room:r', 'ann', ann.acked);
      await assertLogged(redis, 'room:r', 'bob', bob.acked);
      await assertLogged(redis, 'dm:cat:dan', 'cat', cat.acked);
      await assertLogged(redis, 'dm:cat:dan', 'dan', dan.acked);

      const online = async () =>
        Object.keys(await scores(redis, 'sluice:online'))
          .sort()
          .join();
      await until(async () => (await online()) === 'ann,bob,cat,dan');
      await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 3);
    } catch (error) {
      error.message += `\nthe faults so far: ${done.join(', ')}`;
      throw error;
    } finally {
      await Promise.all(all.map((one) => one.end()));
    }
  },
);
