// The cluster page in Chromium: the door, what it shows, a node that dies, Redis away.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { faultsOf, newContext } from '../lib/chromium.mjs';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';

const TOKEN = 'a token/of the+test'.replaceAll(' ', '-');
const args = ['--lease-interval', '200ms', '--lease-timeout', '1500ms'];

// Nodes, and a page of its own context that collects whatever goes wrong in it.
async function begin(t, options = {}) {
  const { redis, nodes, stop } = await cluster({ args, env: { SLUICE_ADMIN_TOKEN: TOKEN } });
  const context = await newContext(options);
  t.after(async () => {
    await context.close();
    await stop();
  });
  const page = await context.newPage();
  const known = /status of (400|401|503)|ERR_/; // asked for by the test
  const faults = faultsOf(page, { levels: ['error', 'warning'], known });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  const noFaults = async () => {
    assert.deepEqual(await page.evaluate(() => window.violations), []);
    assert.deepEqual(faults, []);
  };
  return { redis, nodes, page, noFaults };
}

const shows = (page, selector, text) =>
  page.locator(selector, { hasText: text }).first().waitFor({ timeout: 60000 });
const hides = (page, selector, text) =>
  page.locator(selector, { hasText: text }).first().waitFor({ state: 'hidden', timeout: 60000 });
const row = (page, node) => page.locator('#nodes tbody tr', { hasText: node.id });

const options = { timeout: 90000 };

// Each has nodes and a page of its own, and mostly waits for the page to look again.
describe('side by side', { concurrency: 4 }, () => {
  test('a token opens it, by the form or the address', options, async (t) => {
    const { nodes, page, noFaults } = await begin(t);
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${nodes[0].url}/console`);
    await page.locator('#door').waitFor();
    await page.fill('#token', 'not the token');
    await page.press('#token', 'Enter');
    await shows(page, '#refusal', 'refuses');
    await page.fill('#token', TOKEN);
    await page.press('#token', 'Enter');
    await shows(page, '#nodes', nodes[1].id);
    assert.equal(await page.locator('#door').isVisible(), false);
    // A live region: no node in it, which behind a proxy changes with each answer.
    assert.equal(await page.textContent('#state'), 'Live');

    await page.reload(); // the tab keeps it
    await shows(page, '#state', 'Live');
    await page.click('#forget');
    await page.locator('#door').waitFor();
    await page.reload();
    await page.locator('#door').waitFor();

    await page.goto(`${nodes[0].url}/console#${TOKEN}`);
    await shows(page, '#state', 'Live');
    assert.equal(page.url(), `${nodes[0].url}/console`, 'it is gone from the address bar');
    assert.ok(!requests.some((url) => url.includes(TOKEN)), 'and never was in a request');
    assert.ok(!(await page.content()).includes(TOKEN), 'nor in the page');
    await noFaults();
  });

  test('shows who is there, and finds them', options, async (t) => {
    const { redis, nodes, page, noFaults } = await begin(t);
    const markup = '<b/onclick="alert(1)">&amp;';
    const ann = await login(nodes[0], 'ann', { username: 'Ann A.', role: 'agent' });
    const odd = await login(nodes[1], markup);
    for (const client of [ann, odd]) await client.emit('join', { room: markup });
    await page.goto(`${nodes[0].url}/console#${TOKEN}`);
    await shows(page, '#online', 'Ann A.');
    await shows(page, '#rooms', markup);
    await shows(page, '#online', markup);
    assert.equal(await page.locator('main [onclick]').count(), 0);
    assert.equal(await page.textContent('#sum-nodes'), '2');
    await until(async () => (await page.textContent('#sum-online')) === '2');
    for (const node of nodes) await shows(page, '#nodes tbody tr', `127.0.0.1:${node.port}`);
    assert.match(await row(page, nodes[0]).textContent(), /ready/);
    await shows(page, '#redis', 'master');

    await page.fill('#text', 'nn');
    await shows(page, '#found', '1 user found');
    assert.deepEqual(await page.locator('#online tbody tr button').allTextContents(), ['ann']);
    await page.fill('#text', '*');
    await shows(page, '#found', '0 users found');
    await page.fill('#text', 'é'.repeat(65));
    await shows(page, '#found', 'No id looks like this.');
    await page.waitForResponse(/cluster/); // with the next view it still says so
    await page.waitForResponse(/cluster/);
    assert.equal(await page.textContent('#found'), 'No id looks like this.');
    await page.fill('#text', '');
    await shows(page, '#online', markup);

    await page.locator('#online button', { hasText: 'ann' }).press('Enter');
    await shows(page, '#user', 'agent');
    for (const text of [nodes[0].id, markup, `127.0.0.1:${ann.socket._socket.localPort}`]) {
      await shows(page, '#user-body', text);
    }
    await page.keyboard.press('Escape');
    await page.locator('#user').waitFor({ state: 'hidden' });

    // Who comes and goes before the row that has the focus does not take it away.
    await page.locator('#online button', { hasText: 'ann' }).focus();
    const aaron = await login(nodes[1], 'aaron');
    await shows(page, '#online', 'aaron');
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    assert.equal(await focused(), 'ann');
    await aaron.close();
    await hides(page, '#online', 'aaron');
    assert.equal(await focused(), 'ann');

    // A page of many, looked at further.
    const script = `for i = 1, 12000 do redis.call('ZADD', KEYS[1], ARGV[1] + i, 'many-' .. i) end return 1`;
    await redis.cli('EVAL', script, 1, 'sluice:online', Date.now());
    await shows(page, '#sum-online', '12,002');
    await page.fill('#text', 'many-');
    await shows(page, '#found', 'so far');
    const shown = await page.locator('#online tbody tr').count();
    await page.click('#more');
    await until(async () => (await page.locator('#online tbody tr').count()) > shown);
    await noFaults();
  });

  test('a dead node, Redis away, the node away', options, async (t) => {
    const { redis, nodes, page, noFaults } = await begin(t);
    const [serving, dying] = nodes;
    await page.goto(`${serving.url}/console#${TOKEN}`);
    await shows(page, '#nodes', dying.id);
    dying.suspend();
    await until(async () =>
      /lease (late|expired)|reaped|gone/.test(await row(page, dying).textContent()),
    );
    await dying.kill();
    await until(async () => /gone/.test(await row(page, dying).textContent()), { timeout: 15000 });
    await until(async () => (await page.textContent('#sum-nodes')) === '1');

    redis.pause();
    await shows(page, '#banner', 'Redis does not answer');
    assert.match(await page.textContent('#banner'), /\d+ s old/);
    assert.ok(await page.locator('#view.stale').count(), 'the last state is dimmed');
    assert.equal(await row(page, serving).isVisible(), true);
    await page.fill('#text', 'nobody'); // in vain, now
    await page.waitForResponse(/online/);
    redis.resume();
    await shows(page, '#state', 'Live');
    await shows(page, '#found', '0 users found');
    assert.equal(await page.locator('#banner').isVisible(), false);

    serving.suspend();
    await shows(page, '#banner', 'No node answers');
    serving.resume();
    await hides(page, '#banner', 'No node answers');
    await shows(page, '#state', 'Live');
    await noFaults();
  });

  test('asks only while it is seen; fits a phone, light and dark', options, async (t) => {
    const phone = { viewport: { width: 360, height: 740 }, colorScheme: 'dark' };
    const { nodes, page, noFaults } = await begin(t, phone);
    await page.goto(`${nodes[0].url}/console#${TOKEN}`);
    await shows(page, '#nodes', nodes[1].id);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.emulateMedia({ colorScheme: 'light' });
    assert.notEqual(await ground(), dark);

    let asked = 0;
    page.on('request', () => asked++);
    const hide = (hidden) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    await until(() => asked > 1);
    await hide(true);
    await sleep(500); // what was under way
    asked = 0;
    await sleep(2500); // longer than it waits between two
    assert.equal(asked, 0);
    await hide(false);
    await until(() => asked > 0);
    await noFaults();
  });
});
