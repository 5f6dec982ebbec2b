// The chat page on a phone, by keyboard alone, over a reload, and when the server refuses.
import assert from 'node:assert/strict';
import {
  becomes,
  browserTest,
  online,
  openRoom,
  say,
  shows,
  texts,
  writeTo,
} from '../lib/browser.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

browserTest('a phone shows the list or the conversation', async ({ open }) => {
  const ann = await open('Ann', PHONE);
  const bob = await open('Bob');
  await shows(ann, '#people', 'Bob');
  assert.equal(await ann.isVisible('#talk'), false);
  await say(bob, 'hello phone');
  await becomes(() => ann.locator('#rooms .badge').textContent(), '1 unread');

  await ann.locator('#rooms button').tap();
  await shows(ann, '#messages', 'hello phone');
  assert.equal(await ann.isVisible('#side'), false);
  assert.equal(await ann.evaluate(() => document.activeElement.id), 'title');
  await ann.fill('#text', 'hello desk');
  await ann.locator('#send').tap();
  await shows(bob, '#messages', 'hello desk');

  // Back by the page's button, and by the phone's.
  await ann.locator('#back').tap();
  await becomes(() => ann.isVisible('#side'), true);
  assert.equal(await ann.isVisible('#talk'), false);
  await becomes(() => ann.evaluate(() => document.activeElement.textContent.trim()), '#lobby');
  await ann.locator('#people button', { hasText: 'Bob' }).tap();
  await becomes(() => ann.textContent('#title'), 'Bob');
  await ann.goBack();
  await becomes(() => ann.isVisible('#side'), true);

  // Nothing is wider than the screen, no field so small that the phone zooms in, no button too
  // small for a finger.
  await ann.locator('#rooms button').tap();
  const sizes = await ann.evaluate(() => ({
    wide: document.scrollingElement.scrollWidth > innerWidth,
    font: parseFloat(getComputedStyle(document.getElementById('text')).fontSize),
    small: [...document.querySelectorAll('button')]
      .map((button) => button.getBoundingClientRect())
      .filter(({ width, height }) => width > 0 && (height < 40 || width < 40)).length,
  }));
  assert.deepEqual(sizes, { wide: false, font: 16, small: 0 });
});

// Presses Tab until `selector` has the focus.
async function tabTo(page, selector) {
  for (let i = 0; i < 30; i++) {
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector))
      return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not lead to ${selector}`);
}

browserTest('everything by keyboard', async ({ open, visit }) => {
  const bob = await open('Bob');
  const page = await visit();
  const type = (text) => page.keyboard.type(text);
  const press = (key) => page.keyboard.press(key);
  await becomes(() => page.evaluate(() => document.activeElement.id), 'name');
  await type('Ann');
  await press('Enter');
  await online(page);
  await becomes(() => page.evaluate(() => document.activeElement.id), 'text');
  await type('hello');
  await press('Enter');
  await shows(bob, '#messages', 'hello');

  await tabTo(page, '#add');
  await press('Enter');
  await becomes(() => page.evaluate(() => document.activeElement.id), 'room');
  await press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'add');
  await press('Enter');
  await type('tea');
  await press('Enter');
  await becomes(() => page.textContent('#title'), 'tea');
  await becomes(() => page.evaluate(() => document.activeElement.id), 'text');

  await tabTo(page, '#rooms button');
  await press('Enter');
  await becomes(() => page.textContent('#title'), 'lobby');
  await shows(page, '#people', 'Bob');
  await tabTo(page, '#rooms button');
  await press('End');
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Bob/);
  await press('Enter');
  await becomes(() => page.textContent('#title'), 'Bob');
  await type('in private');
  await press('Enter');
  await shows(bob, '#peers', 'Ann');

  await tabTo(page, '#skip');
  await press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  await tabTo(page, '#leave');
  await press('Enter');
  await becomes(() => page.textContent('#title'), 'lobby');
  await tabTo(page, '#out');
  await press('Enter');
  await page.locator('#door').waitFor();
  await becomes(() => page.evaluate(() => document.activeElement.id), 'name');
});

browserTest('a reload keeps name, conversation and draft', async ({ open }) => {
  const ann = await open('Ann');
  const bob = await open('Bob');
  await ann.evaluate(() => (location.hash = '#room:tea'));
  await becomes(() => ann.textContent('#title'), 'tea');
  await say(ann, 'in the tea room');
  await shows(ann, '#messages', 'in the tea room');
  await writeTo(bob, 'Ann');
  await say(bob, 'psst');
  await ann.locator('#peers button').click();
  await shows(ann, '#messages', 'psst');
  await say(ann, 'yes?');
  await shows(bob, '#messages', 'yes?');
  await becomes(() => ann.locator('.mark .unseen').allTextContents(), ['Read']);
  await ann.fill('#text', 'half a sen');

  await ann.reload();
  await online(ann);
  assert.equal(await ann.textContent('#self .name'), 'Ann');
  await becomes(() => texts(ann), ['psst', 'yes?']);
  await becomes(() => ann.locator('.mark .unseen').allTextContents(), ['Read']);
  await becomes(() => ann.textContent('#title'), 'Bob');
  assert.equal(await ann.inputValue('#text'), 'half a sen');
  assert.deepEqual(await ann.locator('#rooms .name').allTextContents(), ['lobby', 'tea']);
  await becomes(() => ann.title(), 'Bob · Sluice');
  await say(bob, 'after');
  await shows(ann, '#messages', 'after');
});

browserTest('what was read stays read, what came meanwhile is new', async ({ open }) => {
  const ann = await open('Ann');
  const bob = await open('Bob');
  await say(bob, 'old 1');
  await say(bob, 'old 2');
  await writeTo(bob, 'Ann');
  await say(bob, 'old private');
  await ann.locator('#peers button').click();
  await shows(ann, '#messages', 'old private');
  await becomes(() => bob.locator('.mark .unseen').allTextContents(), ['Read']);
  const context = ann.context();
  await ann.close();

  await say(bob, 'new private');
  await openRoom(bob, 'lobby');
  await say(bob, 'new 1');
  await say(bob, 'new 2');
  await shows(bob, '#messages', 'new 2');
  const again = await open('Ann', { context, hash: '#user:Bob' });
  const badges = (list) => again.locator(`${list} .badge`).allTextContents();
  await becomes(() => texts(again), ['old private', 'new private']);
  await shows(again, '#messages li:nth-child(2) .new', 'New messages');
  await becomes(() => badges('#rooms'), ['2 unread']);
  await becomes(() => badges('#peers'), ['']);
  await openRoom(again, 'lobby');
  await shows(again, '#messages li:nth-child(3) .new', 'New messages');
  await becomes(() => badges('#rooms'), ['']);

  await again.reload();
  await online(again);
  await becomes(() => texts(again), ['old 1', 'old 2', 'new 1', 'new 2']);
  assert.equal(await again.locator('.new').count(), 0);
  await becomes(() => again.title(), 'lobby · Sluice');
});

browserTest('who is refused is told why', async ({ visit }) => {
  const page = await visit();
  await page.evaluate(() => {
    sessionStorage.setItem('name', 'x'.repeat(200));
    location.reload();
  });
  await shows(page, '#refusal', 'userId');
  await page.fill('#name', 'Ann');
  await page.click('#enter');
  await online(page);
  assert.equal(await page.textContent('#refusal'), '');
});
