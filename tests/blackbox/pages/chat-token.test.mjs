// The chat page on nodes with identity on: a token from the address or the form, and refusals.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { becomes, browserTest, online, say, shows, texts } from '../lib/browser.mjs';
import { forged, IDENTITY, SECRET, seconds, token } from '../lib/token.mjs';

const args = IDENTITY;
const identityTest = (name, fn, options) => browserTest(name, fn, { args, ...options });
const inside = (page, id) => shows(page, '#self', id);
const asked = (page) => page.locator('#by-token:not([hidden])').waitFor();
const kept = (page, key) => page.evaluate((name) => sessionStorage.getItem(name), key);

identityTest('links with tokens: two users talk, and the address forgets the token', async ({ visit }) => {
  const alice = await visit({ hash: `#token=${token('alice')}` });
  const bob = await visit({ hash: `#token=${token('bob', { username: 'Bob' })}` });
  for (const page of [alice, bob]) {
    await online(page);
    assert.doesNotMatch(page.url(), /token|eyJ/);
    assert.equal(await page.evaluate(() => history.length) <= 2, true);
  }
  await inside(alice, 'alice');
  await inside(bob, 'bob');
  await say(alice, 'it is me');
  await becomes(() => texts(bob), ['it is me']);
  // A reload needs no link again.
  await bob.reload();
  await online(bob);
  await becomes(() => texts(bob), ['it is me']);
  await inside(bob, 'bob');
});

identityTest('the page asks for a token at once', async ({ visit }) => {
  const page = await visit();
  await asked(page);
  assert.equal(await page.locator('#name').isVisible(), false);
  await page.fill('#token', 'abc');
  await page.click('#enter');
  await shows(page, '#refusal', 'no token');
  await page.fill('#token', token('carl'));
  await page.press('#token', 'Enter');
  await online(page);
  await inside(page, 'carl');
  await page.click('#out');
  await asked(page);
  assert.equal(await kept(page, 'token'), null, 'signing out forgets it');
  assert.equal(await page.inputValue('#token'), '');
});

identityTest('a token that is refused: the page says why, and takes another one', async ({ visit }) => {
  const page = await visit({ hash: `#token=${token('dora', { exp: seconds() - 1000 })}` });
  await asked(page);
  await shows(page, '#refusal', 'The server refuses this token');
  await shows(page, '#refusal', 'exp');
  assert.equal(await kept(page, 'token'), null);
  await page.fill('#token', forged('dora'));
  await page.click('#enter');
  await asked(page);
  await shows(page, '#refusal', 'The server refuses this token');
  await page.fill('#token', token('dora'));
  await page.click('#enter');
  await online(page);
  await inside(page, 'dora');
});

identityTest('a link in a page that is open: it is the other user then', async ({ visit }) => {
  const page = await visit({ hash: `#token=${token('alice')}` });
  await online(page);
  await inside(page, 'alice');
  await page.evaluate((text) => (location.hash = `#token=${text}`), token('bob'));
  await inside(page, 'bob');
  await online(page);
  assert.doesNotMatch(page.url(), /token/);
});

identityTest('a link with nothing but the token; a room in the address is none', async ({ visit }) => {
  const page = await visit({ hash: `#${token('alice')}` });
  await online(page);
  await inside(page, 'alice');
  assert.doesNotMatch(page.url(), /eyJ/);
  await page.evaluate((text) => (location.hash = `#${text}`), token('bob'));
  await inside(page, 'bob');
  await online(page);
  await page.evaluate(() => (location.hash = '#room:eyJ'));
  await shows(page, '#title', 'eyJ');
  await inside(page, 'bob');
});

identityTest('a name that a tab has kept is not enough', async ({ visit }) => {
  const page = await visit();
  await page.evaluate(() => sessionStorage.setItem('name', 'Eve'));
  await page.reload();
  await asked(page);
  assert.equal(await kept(page, 'name'), null);
});

identityTest('rights: a room that the token does not allow', async ({ visit }) => {
  const only = token('fay', { sluice: { rooms: ['lobby', 'f*'] } });
  const page = await visit({ hash: `#token=${only}` });
  await online(page);
  await say(page, 'here');
  await becomes(() => texts(page), ['here']);
  await page.click('#add');
  await page.fill('#room', 'secret');
  await page.press('#room', 'Enter');
  await shows(page, '#messages', 'You could not enter');
  assert.equal(await page.textContent('#edge'), '');
});

identityTest('a number as sub keeps its digits', async ({ visit }) => {
  const [head] = token('x').split('.');
  const claims = `{"exp":${Math.ceil(seconds()) + 3600},"sub":9007199254740993}`;
  const signed = `${head}.${Buffer.from(claims).toString('base64url')}`;
  const mark = crypto.createHmac('sha256', SECRET).update(signed).digest('base64url');
  const text = `${signed}.${mark}`;
  const page = await visit({ hash: `#token=${text}` });
  await online(page);
  await inside(page, '9007199254740993');
});
