// When a member's last connection goes: userLeft, onlineUsers and update_member_list.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { count, fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

const counts = (online, total) => ({
  match: ({ data }) => data.online === online && data.total === total,
});
const roster = (...ids) => ({
  match: ({ data }) => JSON.stringify([...data].sort()) === JSON.stringify(ids.sort()),
});

test('the room hears of it once and its rosters shrink; the membership stays', async () => {
  const [ann, bob, eve] = await inRoom([nodes[0], nodes[1], nodes[1]], 'r', 'ann', 'bob', 'eve');
  for (const client of [ann, bob]) {
    await client.next('onlineUsers', roster('ann', 'bob', 'eve'));
    await client.next('update_member_list', counts(3, 3));
  }
  eve.terminate();
  for (const client of [ann, bob]) {
    const left = await client.next('userLeft');
    assert.deepEqual(left.data, { room: 'r', userId: 'eve' });
    assert.equal(left.channel, 'room:r');
    assert.equal(left.seq, 0);
    assert.equal(left.epoch, undefined);
    await client.next('onlineUsers', roster('ann', 'bob'));
    const list = await client.next('update_member_list', counts(2, 3));
    assert.deepEqual(list.data, { room: 'r', online: 2, total: 3 });
  }
  await fence(redis, [ann, bob]);
  for (const client of [ann, bob]) assert.equal(count(client, 'userLeft'), 1);
  const all = await ann.emit('all_member', { room: 'r' });
  assert.deepEqual(all.map(({ id, online }) => [id, online]).sort(), [
    ['ann', true],
    ['bob', true],
    ['eve', false],
  ]);

  const back = await login(nodes[0], 'eve');
  for (const client of [ann, bob]) {
    await client.next('onlineUsers', roster('ann', 'bob', 'eve'));
    await client.next('update_member_list', counts(3, 3));
  }
  await back.close();
});

test('one of two devices going changes nothing in the room', async () => {
  const ann = await login(nodes[0], 'ann1');
  await ann.emit('join', { room: 'r1' });
  const phone = await login(nodes[0], 'fay');
  await phone.emit('join', { room: 'r1' });
  const desk = await login(nodes[1], 'fay');
  await ann.next('update_member_list', counts(2, 2));
  await phone.close();
  await fence(redis, [ann, desk]);
  await ann.none('userLeft');
  await ann.none('update_member_list', 0, counts(1, 2));
});

test('a csId room gets Online_user beside onlineUsers', async () => {
  const ann = await login(nodes[0], 'ann3', { csId: '7' });
  const eve = await login(nodes[1], 'eve3', { csId: '7' });
  await ann.next('Online_user', roster('ann3', 'eve3'));
  const mine = await eve.next('Online_user', roster('ann3', 'eve3'));
  assert.equal(mine.channel, 'room:room-7');
  eve.terminate();
  await ann.next('Online_user', roster('ann3'));
  await ann.next('onlineUsers', roster('ann3'));
});
