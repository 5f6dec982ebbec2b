// A poll: results at once, and with each vote.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('poll', async ({ page, open }) => {
  const [ann, bob] = [page(open()), page(open())];
  await until(() => ann.results && bob.results);
  assert.deepEqual(ann.results, { cats: 0, dogs: 0 });
  ann.vote('cats');
  await until(() => ann.thanks && ann.results.cats === 1 && bob.results.cats === 1);
  bob.vote('birds');
  await until(() => bob.error === 'no such choice');
  bob.vote('dogs');
  await until(() => [ann, bob].every(({ results }) => results.dogs === 1));
  const eve = page(open());
  await until(() => eve.results);
  assert.deepEqual(eve.results, { cats: 1, dogs: 1 });
});
