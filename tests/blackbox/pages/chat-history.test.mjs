// History on the chat page: pages of it come when the reader scrolls up.
import assert from 'node:assert/strict';
import * as harness from '../lib/harness.mjs';
import { becomes, browserTest, texts } from '../lib/browser.mjs';

const LINES = 180;

async function fill(node, room) {
  const writer = await harness.login(node, 'writer');
  await writer.emit('join', { room });
  const say = (message) => writer.emit('sendMessage', { room, message });
  for (let n = 1; n <= LINES; n++) await say(`line ${n}`);
  return say;
}

const numbered = (from, to) =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);

// How far below the top of the log a line stands.
const topOf = (page, text) =>
  page.evaluate((wanted) => {
    const all = [...document.querySelectorAll('#messages .line')];
    const line = all.find((one) => one.querySelector('.text').textContent === wanted);
    return Math.round(line.getBoundingClientRect().top);
  }, text);

const scrollTo = (page, top) =>
  page.evaluate((to) => {
    document.getElementById('log').scrollTop = to;
  }, top);

const isAtEnd = (page) =>
  page.evaluate(() => {
    const { scrollHeight, scrollTop, clientHeight } = document.getElementById('log');
    return scrollHeight - scrollTop - clientHeight < 2;
  });

browserTest('history comes on scrolling up', async ({ nodes, open }) => {
  const say = await fill(nodes[0], 'hist');
  const ann = await open('Ann', { hash: '#room:hist' });
  await becomes(() => texts(ann), numbered(LINES - 49, LINES));
  assert.equal(await isAtEnd(ann), true);
  assert.equal(await ann.title(), 'hist · Sluice', 'to a newcomer nothing is unread');

  // What the reader looks at stays where it is.
  await scrollTo(ann, 300);
  const first = `line ${LINES - 49 + 7}`;
  const before = await topOf(ann, first);
  await becomes(() => texts(ann), numbered(LINES - 99, LINES));
  assert.ok(Math.abs((await topOf(ann, first)) - before) <= 2, 'the page jumped');

  // What comes meanwhile does not move it either, and is counted.
  await say('line 181');
  await say('line 182');
  await becomes(() => ann.textContent('#jump-count'), '2 new');
  assert.ok(Math.abs((await topOf(ann, first)) - before) <= 2, 'the page jumped');

  await ann.hover('#log');
  const up = async () => {
    await ann.mouse.wheel(0, -2000);
    return texts(ann);
  };
  await becomes(up, numbered(1, LINES + 2), 'scrolling up brings all');
  await becomes(() => ann.textContent('#edge'), 'This is where the room begins.');

  await ann.click('#jump');
  await becomes(() => isAtEnd(ann), true);
  await becomes(() => ann.isVisible('#jump'), false);
  await becomes(() => ann.title(), 'hist · Sluice');
});

browserTest('a reader comes back to where they were', async ({ nodes, open }) => {
  const say = await fill(nodes[0], 'hist');
  const ann = await open('Ann', { hash: '#room:hist' });
  await becomes(async () => (await texts(ann)).at(-1), `line ${LINES}`);
  const context = ann.context();
  await ann.close();
  for (let n = 1; n <= 60; n++) await say(`line ${LINES + n}`);

  const again = await open('Ann', { context, hash: '#room:hist' });
  await becomes(() => again.textContent('#jump-count'), '60 new');
  const line = again.locator('#messages .line', { has: again.locator('.new') });
  await becomes(() => line.locator('.text').textContent(), `line ${LINES + 1}`);
  assert.equal(await again.title(), '(60) hist · Sluice');
  await again.click('#jump');
  await becomes(() => again.title(), 'hist · Sluice');
  assert.equal(await line.count(), 1, 'the line stays while one reads');
  await again.fill('#text', 'my answer');
  await again.press('#text', 'Enter');
  await becomes(() => line.count(), 0);
});

browserTest('a room that talks on keeps its end in sight', async ({ nodes, open }) => {
  const writer = await harness.login(nodes[0], 'writer');
  await writer.emit('join', { room: 'talk' });
  const ann = await open('Ann', { hash: '#room:talk' });
  const all = numbered(1, 700);
  await Promise.all(
    all.map((message) => writer.emit('sendMessage', { room: 'talk', message })),
  );
  await becomes(async () => (await texts(ann)).at(-1), 'line 700');
  await becomes(() => isAtEnd(ann), true);
  const shown = await texts(ann);
  assert.ok(shown.length <= 650, `old lines leave the page: ${shown.length}`);
  assert.deepEqual(shown, all.slice(-shown.length));
  // They come back when asked for.
  await scrollTo(ann, 0);
  await becomes(async () => (await texts(ann)).length > shown.length, true);
  const more = await texts(ann);
  assert.deepEqual(more, all.slice(-more.length));
});
