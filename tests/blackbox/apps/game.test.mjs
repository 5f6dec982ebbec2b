// A game for two: rooms in each event, and "opponent left".
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('game', async ({ page, open }) => {
  const tab = open();
  const [ann, bob, eve] = [page(tab), page(open()), page(open())];
  assert.equal(await eve.join('game 99'), 'no such game');
  const room = await ann.create();
  assert.equal(await bob.join(room), true);
  await until(() => ann.state === 'playing' && bob.state === 'playing');
  assert.equal(await eve.join(room), 'full');
  const other = await eve.create();
  assert.notEqual(other, room);
  ann.move(4);
  await until(() => bob.board[4] === 'X');
  bob.move(0);
  await until(() => ann.board[0] === 'O');
  assert.deepEqual(ann.board, bob.board);
  assert.deepEqual(eve.board, Array(9).fill(''));
  tab.quit();
  await until(() => bob.state === 'opponent left');
  const dan = page(open());
  assert.equal(await dan.join(other), true);
  await until(() => eve.state === 'playing' && dan.state === 'playing');
  dan.leave();
  await until(() => eve.state === 'opponent left');
});
