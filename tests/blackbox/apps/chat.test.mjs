// A chat with nicknames, typing and counts.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('chat', async ({ page, open }) => {
  const ann = page(open());
  ann.enter('Ann');
  await until(() => ann.log.length === 2);
  const tab = open();
  const bob = page(tab);
  bob.enter('Bob');
  await until(() => bob.log.length === 2 && ann.log.length === 4);
  bob.press();
  await until(() => ann.typing.has('Bob'));
  bob.say('hello');
  await until(() => ann.log.length === 5 && !ann.typing.has('Bob'));
  ann.say('hi');
  await until(() => bob.log.length === 4);
  tab.quit();
  await until(() => ann.log.length === 8);
  assert.deepEqual(ann.log, [
    'Welcome', "there's 1 participant", 'Bob joined', 'there are 2 participants', 'Bob: hello', 'Ann: hi',
    'Bob left', "there's 1 participant",
  ]);
  assert.deepEqual(bob.log.slice(0, 4), ['Welcome', 'there are 2 participants', 'Bob: hello', 'Ann: hi']);
  assert.deepEqual([ann.typing.size, bob.typing.size], [0, 0]);
});
