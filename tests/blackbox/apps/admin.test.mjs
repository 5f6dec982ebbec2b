// A page for the operator in a namespace of its own, with a kick.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('admin', async ({ page: admin, pages: { visitor }, open }) => {
  const [ann, bob] = [visitor(open()), visitor(open())];
  await until(() => ann.id && bob.id);
  const wrong = admin(open(), 'let me in');
  await until(() => wrong.error === 'wrong password');
  const op = admin(open(), 'open sesame');
  await until(() => op.visitors?.length === 2);
  assert.deepEqual([...op.visitors].sort(), [ann.id, bob.id].sort());
  op.kick(ann.id);
  await until(() => ann.gone === 'io server disconnect' && op.visitors.length === 1);
  await until(() => op.done.length === 1);
  assert.deepEqual([op.done, bob.gone, wrong.visitors], [[{ kicked: true }], null, null]);
  op.kick('nobody-with-this-id-1');
  await until(() => op.done.length === 2);
  assert.deepEqual(op.done[1], { kicked: false });
  bob.quit();
  await until(() => op.visitors.length === 0);
});
