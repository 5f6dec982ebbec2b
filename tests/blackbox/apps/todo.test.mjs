// A list that several people edit: acks and errors of validation.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('todo', async ({ page, open }) => {
  const [ann, bob] = [page(open()), page(open())];
  const refused = await ann.add('');
  assert.deepEqual([refused.error, refused.errorDetails[0].path], ['payload is invalid', 'title']);
  const { data: id } = await ann.add('buy milk');
  await until(() => bob.todos.size === 1);
  assert.deepEqual(bob.todos.get(id), { id, title: 'buy milk', completed: false });
  assert.equal(await bob.toggle(id), undefined);
  await until(() => ann.todos.get(id).completed);
  const eve = page(open());
  await until(() => eve.todos.size === 1);
  assert.deepEqual([...eve.todos.values()], [{ id, title: 'buy milk', completed: true }]);
  assert.equal(await ann.remove(id), undefined);
  await until(() => bob.todos.size === 0 && eve.todos.size === 0);
  assert.deepEqual(await bob.remove(id), { error: 'entity not found' });
});
