// A fast game: volatile inputs, a tick for each player.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('arena', async ({ page, open }) => {
  const tab = open();
  const [ann, bob] = [page(tab), page(open())];
  await until(() => ann.near.length === 1 && bob.near.length === 1);
  const walk = async (player, dx, dy, there) => {
    const timer = setInterval(() => player.press(dx, dy), 20);
    await until(there);
    clearInterval(timer);
  };
  await walk(ann, 0, 1, () => ann.you.y >= 3);
  await until(() => bob.near[0]?.y === ann.you.y);
  assert.deepEqual([ann.you.x, bob.you], [0, { x: 0, y: 0 }]);
  await walk(bob, -1, 0, () => ann.near.length === 0 && bob.near.length === 0); // out of sight
  const before = bob.ticks;
  tab.quit();
  await until(() => bob.ticks > before + 5);
});
