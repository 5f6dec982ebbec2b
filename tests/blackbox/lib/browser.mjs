// Chromium on the chat page, through nginx with the files of deploy/nginx.

import assert from 'node:assert/strict';
import { closeContexts, faultsOf, newContext } from './chromium.mjs';
import { clusterBehindNginx } from './nginx.mjs';
import { PATIENCE, test, until } from './waiting.mjs';

const LIMIT = 15000; // ms that a page may take for anything, times PATIENCE

/*
 * A page of a context of its own (or of `context`), which collects whatever goes wrong in it:
 * page.faults. `options` are the context's.
 */
async function openPage(address, { context, ...options }) {
  const page = await (context ?? (await newContext(options))).newPage();
  page.setDefaultTimeout(LIMIT * PATIENCE);
  page.faults = faultsOf(page, { levels: ['error', 'warning'] });
  const fault = (text) => page.faults.push(text);
  page.on('requestfailed', (failed) => {
    const { errorText } = failed.failure();
    if (errorText !== 'net::ERR_ABORTED') fault(`${failed.url()} ${errorText}`); // a reload aborts
  });
  page.on('response', (response) => {
    if (response.status() >= 400) fault(`${response.status()} ${response.url()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  const response = await page.goto(address);
  assert.equal(response.status(), 200);
  assert.match(response.headers()['content-security-policy'], /default-src 'self'/);
  return page;
}

export const online = (page) => page.locator('body[data-state=online]').waitFor();

// The id of the node that serves the page.
export async function nodeOf(page) {
  await online(page);
  return (await page.textContent('#state')).replace('Connected to ', '');
}

/*
 * A test with two nodes, nginx and Chromium. `fn` gets { nodes, redis,
 *   open(name, { hash, unlike, context, … })  a page, entered; on another node than `unlike`'s
 *   visit(options)                            a page at the door }
 * and whatever went wrong in a page that was opened (page.faults) fails the test, unless it is of
 * the kind that `tolerated` matches.
 */
export function browserTest(name, fn, { args = [], tolerated } = {}) {
  return test(name, { timeout: 120000 }, async (t) => {
    const { nodes, redis, nginx, stop } = await clusterBehindNginx({ nodes: 2, args });
    t.after(async () => {
      await closeContexts(); // first: nodes that drain would wait for the pages
      await stop();
    });
    const pages = [];

    const visit = async ({ hash = '', ...options } = {}) => {
      const page = await openPage(`${nginx.url}/${hash}`, options);
      pages.push(page);
      return page;
    };
    const open = async (who, { unlike, ...options } = {}) => {
      const page = await visit(options);
      await page.fill('#name', who);
      await page.click('#enter');
      for (let tries = 0; unlike && (await nodeOf(page)) === (await nodeOf(unlike)); tries++) {
        assert.ok(tries < 10, 'nginx gives both pages to one node');
        await page.reload();
      }
      await online(page);
      return page;
    };
    await fn({ nodes, redis, visit, open });
    const counts = (fault) => !tolerated?.test(fault);
    for (const { faults } of pages) assert.deepEqual(faults.filter(counts), []);
  });
}

// ---- Actions of a user, and what the page shows

export async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

export const texts = (page) => page.locator('#messages .text').allTextContents();

export const shows = (page, selector, text) =>
  page.locator(selector, { hasText: text }).first().waitFor();

// Waits until a locator or a function of the page gives this value.
export async function becomes(read, wanted, what = String(read)) {
  let last;
  const isSo = async () => {
    last = await read();
    try {
      assert.deepEqual(last, wanted);
      return true;
    } catch {
      return false;
    }
  };
  await until(isSo, { timeout: LIMIT, what }).catch(() =>
    assert.deepEqual(last, wanted, what),
  );
}

// Opens the private conversation with somebody in the list of people.
export const writeTo = (page, name) =>
  page.locator('#people button', { hasText: name }).first().click();

export const openRoom = (page, name) =>
  page.locator('#rooms button', { hasText: name }).first().click();
