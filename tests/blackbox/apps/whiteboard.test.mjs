// A whiteboard: one draws, the others see it.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('whiteboard', async ({ page, open }) => {
  const [ann, bob, eve] = [page(open()), page(open()), page(open())];
  await until(() => [ann, bob, eve].every((one) => one.ready()));
  ann.draw(0, 0, 0.5, 0.25, 'red');
  bob.draw(1, 1, 0, 0, 'black');
  await until(() => [ann, bob, eve].every(({ lines }) => lines.length >= 2));
  eve.draw(0, 1, 0, 1, 'green');
  await until(() => [ann, bob, eve].every(({ lines }) => lines.some(({ color }) => color === 'green')));
  assert.deepEqual([ann, bob, eve].map(({ lines }) => lines.length), [3, 3, 3]); // not back to who draws
  assert.deepEqual(eve.lines.find(({ color }) => color === 'red'), { x0: 0, y0: 0, x1: 0.5, y1: 0.25, color: 'red' });
  ann.draw(0, 0, 1, 1, 'blue');
  ann.clear();
  await until(() => [ann, bob, eve].every(({ lines }) => lines.length === 0));
});
