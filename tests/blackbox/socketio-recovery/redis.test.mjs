// Connection state recovery when Redis fails: its links cut, its scripts gone, still, stopped.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, isManaged, sleep, test } from '../lib/harness.mjs';
import * as recovery from '../lib/recovery.mjs';
import { WAYS } from '../lib/socketio.mjs';

const { assertStranger, away, back, comeBack, guest, QUICK, Scene } = recovery;
const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
after(stop);

// A server that tells no ids is another one when all links fell.
const unknown = { unmanaged: 'all links fall, and no node knows that it is the same server' };

test('Redis loses its links and its scripts meanwhile', unknown, async (t) => {
  const ann = await guest(t, nodes[0], 'links');
  const scene = await Scene.of(t, nodes[1], ann);
  // The speaker's messages may fail meanwhile; they are said again.
  const steady = async (act) => {
    await act();
    for (const node of nodes) await node.untilReady();
  };
  const faults = [
    ['CLIENT', 'KILL', 'TYPE', 'normal'],
    ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
    ['SCRIPT', 'FLUSH'],
  ];
  for (const [i, fault] of faults.entries()) {
    for (const when of ['before', 'while it is away', 'as it comes']) {
      const act = () => steady(() => redis.cli(...fault));
      if (when === 'before') await act();
      await away(ann);
      await scene.say(2);
      if (when === 'while it is away') await act();
      await scene.say(1);
      const coming = back(ann, nodes[(i + 1) % 2]);
      if (when === 'as it comes') await redis.cli(...fault);
      assert.equal(await coming, true, `${fault.join(' ')} ${when}`);
      await steady(() => {});
      await scene.check();
    }
  }
});

/*
 * Redis is away for a while, and clients come back meanwhile: they are answered when it is back.
 * If it lost nothing and is the same, all are recovered; after a restart it cannot be told what
 * else it lost.
 */
for (const [what, ms, same, stopped, again] of [
  ['stands still for 2 s', 2000, true, () => redis.pause(), () => redis.resume()],
  ['stands still for 5 s', 5000, !isManaged(), () => redis.pause(), () => redis.resume()],
  ['is stopped', 3000, false, () => redis.stop(), () => redis.restart()],
  ['is killed', 3000, false, () => redis.kill(), () => redis.restart()],
]) {
  test(`Redis ${what} while clients come back`, async (t) => {
    const guests = await Promise.all(
      WAYS.map((transports, i) =>
        guest(t, nodes[0], `${what.replace(/ /g, '-')}-${i}`, { transports }),
      ),
    );
    const scenes = [];
    for (const ann of guests) scenes.push(await Scene.of(t, nodes[1], ann));
    for (const scene of scenes) await scene.check();
    const before = guests.map(({ id, pid }) => ({ id, pid }));
    const [early, ...late] = guests;
    await away(early);
    await scenes[0].say(2);
    await stopped();
    let over = false;
    t.after(() => over || again());
    for (const ann of late) await away(ann);
    const comings = guests.map((ann, i) => back(ann, nodes[i % 2], { timeout: 40000 }));
    await sleep(ms);
    assert.ok(guests.every(({ connected }) => !connected), 'nobody is answered meanwhile');
    over = true;
    await again();
    const began = Date.now();
    const recovered = await Promise.all(comings);
    assert.ok(Date.now() - began < 30000, `${Date.now() - began} ms`);
    if (same) assert.deepEqual(recovered, [true, true, true]);
    for (const node of nodes) await node.untilReady();
    for (const [i, ann] of guests.entries()) {
      if (!recovered[i]) await assertStranger(ann, before[i]);
      else assert.equal(ann.id, before[i].id);
      if (recovered[i]) await scenes[i].check();
    }
  });
}

test('who stays while Redis is restarted is recovered later', async (t) => {
  const ann = await guest(t, nodes[0], 'stayed');
  const scene = await Scene.of(t, nodes[1], ann);
  for (const how of ['stop', 'kill']) {
    await scene.check();
    await redis[how]();
    await redis.restart();
    for (const node of nodes) await node.untilReady();
    await scene.check();
    await sleep(2000); // ten times the lease's interval
    await scene.check();
    assert.equal(ann.comings.at(-1).id, ann.id);
    await comeBack(ann, nodes[how === 'stop' ? 1 : 0], { meanwhile: () => scene.say(2) });
    await scene.check();
  }
});
