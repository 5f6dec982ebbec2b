// The chat page in Chromium, through nginx, on two nodes: two windows talk.
import assert from 'node:assert/strict';
import { becomes, browserTest, nodeOf, openRoom, say, shows, texts } from '../lib/browser.mjs';

browserTest('two windows on two nodes talk', async ({ nodes, open }) => {
  const ann = await open('Ann Lee');
  const bob = await open('Bob', { unlike: ann });
  const served = [await nodeOf(ann), await nodeOf(bob)].sort();
  assert.deepEqual(served, nodes.map(({ id }) => id).sort());
  for (const page of [ann, bob]) {
    await shows(page, '#people [data-online=true]', 'Ann Lee');
    await shows(page, '#people [data-online=true]', 'Bob');
    await becomes(() => page.textContent('#about'), '2 of 2 online');
  }

  await say(ann, 'hello Bob');
  await shows(bob, '#messages .line:not(.mine)', 'hello Bob');
  await shows(ann, '#messages .line.mine', 'hello Bob');
  await bob.fill('#text', 'two\nlines');
  await bob.click('#send');
  await shows(ann, '#messages', 'two');
  await bob.locator('#text').pressSequentially('three');
  await bob.press('#text', 'Shift+Enter');
  await bob.locator('#text').pressSequentially('four');
  await bob.press('#text', 'Enter');
  for (const page of [ann, bob])
    await becomes(() => texts(page), ['hello Bob', 'two\nlines', 'three\nfour']);
  assert.equal(await ann.locator('#messages b').nth(1).textContent(), 'Bob');
  assert.equal(await bob.locator('#messages b').first().textContent(), 'Ann Lee');
  assert.equal(await bob.locator('#pending li').count(), 0);

  // Bob goes; Ann sees it.
  await bob.context().close();
  await shows(ann, '#people [data-online=false]', 'Bob');
  await becomes(() => ann.textContent('#about'), '1 of 2 online');
});

browserTest('rooms are entered, read and left', async ({ open }) => {
  const ann = await open('Ann');
  const bob = await open('Bob');
  await ann.click('#add');
  await ann.fill('#room', '#ice cream');
  await ann.press('#room', 'Enter');
  await becomes(() => ann.textContent('#title'), 'ice-cream');
  assert.match(ann.url(), /#room:ice-cream$/);
  await say(ann, 'nobody here');

  // The address of a room brings another into it.
  await bob.evaluate(() => (location.hash = '#room:ice-cream'));
  await shows(bob, '#messages', 'nobody here');
  await shows(ann, '#people [data-online=true]', 'Bob');
  await say(bob, 'I am');
  await shows(ann, '#messages', 'I am');

  // What is said in a room that is not open counts; nothing of it is told elsewhere.
  await openRoom(bob, 'lobby');
  await say(ann, 'one');
  await say(ann, 'two');
  const badge = bob.locator('#rooms li', { hasText: 'ice-cream' }).locator('.badge');
  await becomes(() => badge.textContent(), '2 unread');
  assert.match(await bob.title(), /^\(2\) lobby/);
  assert.deepEqual(await texts(bob), []);
  await openRoom(bob, 'ice-cream');
  await shows(bob, '#messages .new', 'New messages');
  await becomes(() => badge.textContent(), '');
  await becomes(() => bob.title(), 'ice-cream · Sluice');

  await bob.click('#leave');
  await becomes(() => bob.textContent('#title'), 'lobby');
  assert.equal(await bob.locator('#rooms button').count(), 1);
  await becomes(() => ann.locator('#people li').count(), 1);
});

browserTest('texts and names of others are never HTML', async ({ open }) => {
  const evil = '<img src=x onerror=alert(1)>';
  const ann = await open('Ann');
  const eve = await open(`<b>Eve</b>${'x'.repeat(8)}`);
  const lines = [
    evil,
    '<script>window.ran = true</script>',
    'javascript:alert(1) data:text/html,x',
    'see https://example.org/a_(b)?c="d" and (http://example.org/e).',
    '\u202eright to left\u202c مرحبا 漢字 👩‍👩‍👧',
    'w'.repeat(3000),
  ];
  for (const line of lines) await say(eve, line);
  await becomes(() => texts(ann), lines);
  await shows(ann, '#people', '<b>Eve</b>');
  assert.equal(await ann.locator('#messages :is(img, script, i, [onerror])').count(), 0);
  assert.equal(await ann.locator('#people b').count(), 0);
  assert.equal(await ann.evaluate(() => window.ran), undefined);

  const links = await ann
    .locator('#messages a')
    .evaluateAll((all) =>
      all.map(({ textContent, href, rel, target }) => ({ textContent, href, rel, target })),
    );
  const common = { rel: 'noopener noreferrer nofollow', target: '_blank' };
  assert.deepEqual(links, [
    {
      textContent: 'https://example.org/a_(b)?c=',
      href: 'https://example.org/a_(b)?c=',
      ...common,
    },
    { textContent: 'http://example.org/e', href: 'http://example.org/e', ...common },
  ]);
  const isTooWide = await ann.evaluate(() => {
    const log = document.getElementById('log');
    return log.scrollWidth > log.clientWidth;
  });
  assert.equal(isTooWide, false);
});

browserTest('a long text is folded, and whole when unfolded', async ({ open }) => {
  const ann = await open('Ann');
  const bob = await open('Bob');
  const text = `${'0123456789 '.repeat(120000)}the end`; // 1.3 MB: in pieces
  await say(ann, text);
  const fold = bob.locator('#messages .fold');
  await fold.waitFor();
  assert.ok((await bob.textContent('#messages .text')).length < 2000);
  await fold.click();
  const shown = await bob.locator('#messages .text').evaluate((node) => node.firstChild.data);
  assert.equal(shown, text);
});
