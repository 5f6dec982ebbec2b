// The pages and the library under a sub-path: nginx has `location /chat/ { proxy_pass http://node/; }`.
import assert from 'node:assert/strict';
import { becomes, online, say, texts } from '../lib/browser.mjs';
import { closeContexts, newContext } from '../lib/chromium.mjs';
import { cluster, test, until } from '../lib/harness.mjs';
import { clusterBehindNginx } from '../lib/nginx.mjs';

const TOKEN = 'a-token-of-the-test';

async function stand(t) {
  const more = 'location /chat/ { proxy_pass http://sluice/; proxy_read_timeout 1h; }\n';
  const { nginx, stop } = await clusterBehindNginx({
    nodes: 2,
    env: { SLUICE_ADMIN_TOKEN: TOKEN },
    nginx: { more },
  });
  t.after(async () => {
    await closeContexts();
    await stop();
  });
  const asked = [];
  const open = async (path) => {
    const page = await (await newContext()).newPage();
    const note = (one) => asked.push(new URL(one.url()).pathname);
    page.on('request', note).on('websocket', note);
    await page.goto(`${nginx.url}${path}`);
    return page;
  };
  return { open, asked };
}

const elsewhere = (asked) => asked.filter((path) => !path.startsWith('/chat/'));

test('the chat page, with its socket and worker', async (t) => {
  const { open, asked } = await stand(t);
  const pages = [];
  for (const name of ['Ann', 'Bob']) {
    const page = await open('/chat/');
    await page.fill('#name', name);
    await page.click('#enter');
    await online(page);
    pages.push(page);
  }
  await say(pages[0], 'hello');
  await becomes(() => texts(pages[1]), ['hello']);
  await pages[0].evaluate(() => {
    for (const [name, value] of [['hidden', true], ['visibilityState', 'hidden']])
      Object.defineProperty(document, name, { value });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await until(() => pages[0].workers().length > 0, { what: 'a worker' });
  assert.ok(asked.includes('/chat/ws'));
  assert.deepEqual(elsewhere(asked), []);
});

test('the cluster page, and the library without an address', async (t) => {
  const { open, asked } = await stand(t);
  const page = await open(`/chat/console#${TOKEN}`);
  await page.locator('#nodes tbody tr').nth(1).waitFor();
  const node = await page.evaluate(async () => {
    const { Sluice } = await import(new URL('sluice.js', location.href).href);
    const sluice = new Sluice(undefined, { userId: 'eve' });
    await sluice.emit('join', { room: 'r' });
    const { seq } = await sluice.emit('sendMessage', { room: 'r', message: 'x' });
    sluice.close();
    return seq;
  });
  assert.equal(node, 1);
  assert.ok(asked.includes('/chat/ws') && asked.includes('/chat/api/v1/cluster'), asked.join());
  assert.deepEqual(elsewhere(asked), []);
});
