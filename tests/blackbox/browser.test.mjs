// The chat page in Chromium, through nginx with the files of deploy/nginx, on two nodes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import * as harness from './lib/harness.mjs';
import { startNginx } from './lib/nginx.mjs';

const { cluster, findProgram, tempDir, test } = harness;

// Flags for a machine without a display and without root's sandbox.
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

async function startBrowser(executablePath) {
  const browser = await chromium.launch({ executablePath, args: FLAGS, timeout: 30000 });
  return browser;
}

// A page of its own context, which collects whatever goes wrong in it.
async function openPage(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('requestfailed', (failed) =>
    faults.push(`${failed.url()} ${failed.failure().errorText}`),
  );
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  const response = await page.goto(`${url}/`);
  assert.equal(response.status(), 200);
  assert.match(response.headers()['content-security-policy'], /default-src 'self'/);
  return { page, faults };
}

async function enter(page, name) {
  await page.fill('#name', name);
  await page.click('#enter');
}

const shows = (page, selector, text) =>
  page.locator(selector, { hasText: text }).first().waitFor({ timeout: 10000 });

test('two people chat through nginx on two nodes', { timeout: 90000 }, async (t) => {
  const executablePath = findProgram('chromium', 'chromium-browser', 'google-chrome');
  if (!executablePath || !findProgram('nginx')) {
    t.skip('no chromium or no nginx');
    return;
  }
  const { nodes, stop } = await cluster({ nodes: 2 });
  const nginx = await startNginx(nodes);
  const browser = await startBrowser(executablePath);
  t.after(async () => {
    await browser.close();
    await nginx.stop();
    await stop();
  });

  const ann = await openPage(browser, nginx.url);
  await enter(ann.page, 'Ann');
  await shows(ann.page, '#online', 'Ann');
  const bob = await openPage(browser, nginx.url);
  await enter(bob.page, 'Bob');
  for (const { page } of [ann, bob]) {
    await shows(page, '#online', 'Ann');
    await shows(page, '#online', 'Bob');
    const state = await page.textContent('#state');
    assert.ok(
      nodes.some(({ id }) => state.includes(id)),
      `#state names a node: ${state}`,
    );
  }

  const says = async (from, to, text) => {
    await from.page.fill('#text', text);
    await from.page.click('#send');
    for (const { page } of [from, to]) await shows(page, '#messages', text);
  };
  await says(ann, bob, 'hello Bob');
  await says(bob, ann, '<b onclick="alert(1)">hi</b> & "Ann"'); // text stays text
  for (const { page } of [ann, bob])
    assert.equal(await page.locator('#messages [onclick]').count(), 0);
  await bob.page.fill('#text', 'by Enter');
  await bob.page.press('#text', 'Enter');
  await shows(ann.page, '#messages', 'by Enter');

  const picture = path.join(tempDir('browser'), 'chat.png');
  await ann.page.screenshot({ path: picture });
  if (process.env.TEST_PICTURES)
    fs.copyFileSync(picture, path.join(process.env.TEST_PICTURES, 'chat.png'));

  // Bob goes; Ann sees it.
  await bob.page.context().close();
  await ann.page
    .locator('#online', { hasText: 'Bob' })
    .waitFor({ state: 'hidden', timeout: 10000 })
    .catch(() => assert.fail('Bob is still shown as online'));
  for (const { page, faults } of [ann]) {
    assert.deepEqual(await page.evaluate(() => window.violations), []);
    assert.deepEqual(faults, []);
  }
  assert.deepEqual(bob.faults, []);
});

test('the page comes back when its node goes', { timeout: 90000 }, async (t) => {
  const executablePath = findProgram('chromium', 'chromium-browser', 'google-chrome');
  if (!executablePath || !findProgram('nginx')) {
    t.skip('no chromium or no nginx');
    return;
  }
  const { nodes, stop } = await cluster({ nodes: 2, args: ['--drain', '100ms'] });
  const nginx = await startNginx(nodes);
  const browser = await startBrowser(executablePath);
  t.after(async () => {
    await browser.close();
    await nginx.stop();
    await stop();
  });
  const { page } = await openPage(browser, nginx.url);
  await enter(page, 'Ann');
  await shows(page, '#online', 'Ann');
  const before = await page.textContent('#state');
  const going = nodes.find(({ id }) => before.includes(id));
  const staying = nodes.find((node) => node !== going);
  const ann = await harness.login(staying, 'writer');
  await ann.emit('join', {});
  await going.stop('SIGTERM');
  await shows(page, '#state', staying.id);
  await ann.emit('sendMessage', 'after the restart');
  await shows(page, '#messages', 'after the restart');
  await page.fill('#text', 'still here');
  await page.click('#send');
  await ann.next('chatMessage', { match: ({ data }) => data.message === 'still here' });
});
