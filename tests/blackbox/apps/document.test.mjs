// A text that several write: relays under other names, cursors that may be lost.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('document', async ({ page, open }) => {
  const [ann, bob, eve] = [page(open()), page(open()), page(open())];
  ann.open('draft', 'Ann');
  bob.open('draft', 'Bob');
  eve.open('other', 'Eve');
  await until(() => [ann, bob, eve].every(({ content }) => content === ''));
  ann.type(0, 'Hello');
  await until(() => bob.content === 'Hello');
  bob.type(5, ', world');
  await until(() => ann.content === 'Hello, world');
  bob.point(3);
  await until(() => ann.cursors.get('Bob') === 3);
  ann.save();
  await until(() => ann.saved === 1);
  const dan = page(open());
  dan.open('draft', 'Dan');
  await until(() => dan.content === 'Hello, world');
  assert.deepEqual([eve.content, eve.cursors.size, bob.cursors.size], ['', 0, 0]);
});
