// Private conversations on the chat page: unread, typing, read marks, other windows.
import assert from 'node:assert/strict';
import * as harness from '../lib/harness.mjs';
import { becomes, browserTest, say, shows, texts, writeTo } from '../lib/browser.mjs';

const marks = (page) => page.locator('#messages .mine .mark .unseen').allTextContents();
const badge = (page, list) => page.locator(`${list} .badge`).first().textContent();

browserTest('unread, typing and read marks of a private conversation', async ({ open }) => {
  const ann = await open('Ann');
  const bob = await open('Bob', { unlike: ann });
  await writeTo(ann, 'Bob');
  await becomes(() => ann.textContent('#title'), 'Bob');
  await becomes(() => ann.textContent('#about'), 'Online');
  await say(ann, 'first');
  await say(ann, 'second');
  await becomes(() => marks(ann), ['Sent', 'Sent']);

  // Bob is in the lobby: he is told, and nothing counts as read.
  await becomes(() => badge(bob, '#peers'), '2 unread');
  assert.equal(await bob.title(), '(2) lobby · Sluice');
  await shows(bob, '#announcer', 'Private message from Ann');
  assert.deepEqual(await texts(bob), []);
  await bob.locator('#peers button').click();
  await becomes(() => texts(bob), ['first', 'second']);
  await becomes(() => badge(bob, '#peers'), '');
  await becomes(() => marks(ann), ['Read', 'Read']);

  await bob.locator('#text').pressSequentially('I wri');
  await shows(ann, '#typing', 'Bob is typing…');
  await bob.press('#text', 'Enter');
  await becomes(() => texts(ann), ['first', 'second', 'I wri']);
  assert.equal(await ann.textContent('#typing'), '');

  // It ends by itself too.
  await ann.locator('#text').pressSequentially('hm');
  await shows(bob, '#typing', 'Ann is typing…');
  await becomes(() => bob.textContent('#typing'), '');

  // A draft stays with its conversation.
  await ann.locator('#rooms button').click();
  assert.equal(await ann.inputValue('#text'), '');
  await ann.locator('#peers button').click();
  assert.equal(await ann.inputValue('#text'), 'hm');
});

browserTest('messages from before the page count as unread', async ({ nodes, open }) => {
  const ann = await open('Ann');
  await say(ann, 'I was here');
  await shows(ann, '#messages', 'I was here');
  await ann.close();
  const bob = await harness.login(nodes[1], 'Bob', { username: 'Bob' });
  await bob.emit('join', {});
  for (const content of ['a', 'b', 'c']) {
    await bob.emit('private_message', { receiverId: 'Ann', content });
  }
  const again = await open('Ann', { context: ann.context() });
  await becomes(() => badge(again, '#peers'), '3 unread');
  await shows(again, '#peers', 'Bob');
  await again.locator('#peers button').click();
  await becomes(() => texts(again), ['a', 'b', 'c']);
  const read = await bob.next('message_read');
  assert.deepEqual(read.data, { userId: 'Ann', peer: 'Bob', seq: 3 });
});

browserTest('a conversation begins again after its log was deleted', async ({ open, redis }) => {
  const ann = await open('Ann');
  const bob = await open('Bob', { unlike: ann });
  await writeTo(ann, 'Bob');
  for (const text of ['one', 'two', 'three']) await say(ann, text);
  await shows(bob, '#peers', 'Ann');
  await bob.locator('#peers button').click();
  await becomes(() => marks(ann), ['Read', 'Read', 'Read']);
  await bob.locator('#rooms button').first().click();
  await redis.cli('DEL', 'sluice:{dm:Ann:Bob}:log', 'sluice:{dm:Ann:Bob}:meta');
  await say(ann, 'new');
  await becomes(() => texts(ann), ['new']);
  await becomes(() => badge(bob, '#peers'), '1 unread');
  await becomes(() => marks(ann), ['Sent']);
  await bob.locator('#peers button').click();
  await becomes(() => texts(bob), ['new']);
  await becomes(() => marks(ann), ['Read']);
});

browserTest('two windows of one user show the same', async ({ open }) => {
  const one = await open('Ann');
  const two = await open('Ann', { unlike: one });
  const bob = await open('Bob');
  await say(one, 'to the room');
  await shows(two, '#messages .mine', 'to the room');
  await writeTo(one, 'Bob');
  await say(one, 'to Bob');
  await shows(two, '#peers', 'Bob');
  await two.locator('#peers button').click();
  await shows(two, '#messages .mine', 'to Bob');
  await say(two, 'me too');
  await becomes(() => texts(one), ['to Bob', 'me too']);
  await shows(bob, '#peers', 'Ann');
  await bob.locator('#peers button').click();
  await becomes(() => texts(bob), ['to Bob', 'me too']);
  assert.equal(await bob.locator('#messages .mine').count(), 0);
});

browserTest('a room that is left in one window is gone in the other', async ({ open }) => {
  const one = await open('Ann', { hash: '#room:tea' });
  const two = await open('Ann', { hash: '#room:tea', unlike: one });
  await becomes(() => two.locator('#rooms .name').allTextContents(), ['lobby', 'tea']);
  await shows(one, '#about', '1 of 1 online');
  await shows(two, '#about', '1 of 1 online');
  await one.click('#leave');
  await becomes(() => two.locator('#rooms .name').allTextContents(), ['lobby']);
  await becomes(() => two.textContent('#title'), 'lobby');
  await shows(two, '#announcer', 'You left tea elsewhere');
  await two.reload();
  await becomes(() => two.locator('#rooms .name').allTextContents(), ['lobby']);
});

browserTest('what a stranger wrote while the page was closed', async ({ nodes, open, redis }) => {
  const ann = await open('Ann');
  const context = ann.context();
  await ann.close();
  const bob = await harness.login(nodes[1], 'Bob'); // in no room
  for (const content of ['psst', 'are you there?']) {
    await bob.emit('private_message', { receiverId: 'Ann', content });
  }
  const again = await open('Ann', { context });
  await becomes(() => badge(again, '#peers'), '2 unread');
  await again.locator('#peers button').click();
  await becomes(() => texts(again), ['psst', 'are you there?']);
  await becomes(() => badge(again, '#peers'), '');
  await again.reload();
  await becomes(() => texts(again), ['psst', 'are you there?']);
  await becomes(() => badge(again, '#peers'), '');

  // The inbox is gone: no reason for alarm, the conversation is there.
  await again.close();
  await redis.cli('DEL', 'sluice:{user:Ann}:log', 'sluice:{user:Ann}:meta');
  const third = await open('Ann', { context, hash: '#user:Bob' });
  await becomes(() => texts(third), ['psst', 'are you there?']);
  assert.equal(await third.locator('.notice').count(), 0);
});
