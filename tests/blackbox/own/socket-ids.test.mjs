// The id of a socket: who made it, and what is sent to it, wherever it is now.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { comeBack, guest, QUICK } from '../lib/recovery.mjs';
import { publish } from '../lib/registry.mjs';
import { enter, next } from '../lib/socketio.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 3, args: QUICK });
after(stop);

const mark = (id) => id.slice(-8);
const frame = (id, event, data) =>
  JSON.stringify({ channel: `socket:${id}`, seq: 0, time: Date.now() * 1000, event, data });
// Rings the doorbell of the id's mark.
const tell = (id, event, data) => publish(redis, `sluice:{socket:${mark(id)}}`, frame(id, event, data));
const heard = (socket, event) => socket.got.filter((item) => item.event === event).length;

test('each process has a mark with which its ids end', async () => {
  const ids = [];
  for (const node of nodes) {
    const ann = await enter(node, 'ann');
    const eve = await enter(node, 'eve', {}, { transports: ['polling'] });
    const bob = await login(node, 'bob');
    assert.deepEqual([mark(ann.id), mark(ann.ack.connectionId)], [mark(eve.id), mark(eve.id)]);
    assert.equal(mark(bob.ack.connectionId), mark(ann.id));
    assert.match(ann.id, /^[\w-]{20}$/);
    ids.push(mark(ann.id));
    ann.end();
    eve.end();
    await bob.close();
  }
  assert.equal(new Set(ids).size, 3);
});

test('what goes to an id comes to that socket alone', async () => {
  const [ann, eve] = [await enter(nodes[0], 'ann'), await enter(nodes[0], 'ann')];
  const bob = await login(nodes[0], 'bob');
  await tell(ann.id, 'signal', { sdp: 1 });
  assert.deepEqual(await next(ann, 'signal'), { sdp: 1 });
  await tell(bob.ack.connectionId, 'signal', 'to bob');
  assert.equal((await bob.next('signal')).data, 'to bob');
  await tell(eve.id, 'signal', 2);
  assert.equal(await next(eve, 'signal'), 2);
  assert.deepEqual([heard(ann, 'signal'), heard(eve, 'signal')], [0, 0]);
  const { id } = ann;
  ann.end();
  await until(async () => (await enterCount()) === 1);
  await tell(id, 'signal', 3); // nobody has it any more
  await tell(eve.id, 'signal', 4);
  assert.equal(await next(eve, 'signal'), 4);
  eve.end();
  await bob.close();
});
const enterCount = async () => Number(await redis.cli('HLEN', 'sluice:{user:ann}:conns'));

test('what is no frame of a socket is ignored', async () => {
  const ann = await enter(nodes[0], 'ann');
  const bell = `sluice:{socket:${mark(ann.id)}}`;
  const text = frame(ann.id, 'signal', 1);
  for (const bad of ['', 'x', text.slice(0, -1), text.replace('socket:', 'room:'), text.replace('"seq":0', '"epoch":"e","seq":1'), text.replace(/:1}$/, ':nonsense}')]) {
    await publish(redis, bell, bad);
  }
  await tell(ann.id, 'signal', 'good');
  assert.equal(await next(ann, 'signal'), 'good');
  ann.end();
});

test('a socket that was recovered elsewhere is found by its id', async (t) => {
  const ann = await guest(t, nodes[0], 'ann');
  const ben = await guest(t, nodes[0], 'ben');
  const { id } = ann;
  const subscribed = async () => Number((await redis.cli('PUBSUB', 'NUMSUB', `sluice:{socket:${mark(id)}}`)).split('\n')[1]);
  for (const node of [nodes[1], nodes[2], nodes[0], nodes[1]]) {
    await comeBack(ann, node);
    assert.equal(ann.id, id);
    await until(async () => (await subscribed()) === (node === nodes[0] ? 1 : 2));
    await tell(id, 'signal', node.url);
    assert.equal(await next(ann, 'signal'), node.url);
    await tell(ben.id, 'signal', 'still here');
    assert.equal(await next(ben, 'signal'), 'still here');
  }
  await comeBack(ben, nodes[1]);
  ann.end();
  await tell(ben.id, 'signal', 'there');
  assert.equal(await next(ben, 'signal'), 'there');
});

test('and so it is when the process that made the id is gone', async (t) => {
  const ann = await guest(t, nodes[2], 'ann');
  const { id } = ann;
  await comeBack(ann, nodes[0], { meanwhile: () => nodes[2].kill() });
  await until(async () => {
    await tell(id, 'signal', 'survived');
    return heard(ann, 'signal') > 0;
  });
  assert.equal(await next(ann, 'signal'), 'survived');
});
