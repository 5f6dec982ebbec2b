// The chat page of a node that speaks TLS itself, in Chromium.
import assert from 'node:assert/strict';
import { login, test } from '../lib/harness.mjs';
import { online, say, shows } from '../lib/browser.mjs';
import { secureCluster } from '../lib/certificates.mjs';
import { closeContexts, faultsOf, newContext } from '../lib/chromium.mjs';

test('the page opens by https and talks by wss', { timeout: 120000 }, async (t) => {
  const { nodes, stop } = await secureCluster({ nodes: 2 });
  t.after(async () => {
    await closeContexts();
    await stop();
  });
  const context = await newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(socket.url()));
  const faults = faultsOf(page);
  page.setDefaultTimeout(30000);
  const response = await page.goto(`${nodes[0].url}/`);
  assert.equal(response.status(), 200);
  await page.fill('#name', 'ann');
  await page.click('#enter');
  await online(page);
  const bob = await login(nodes[1], 'bob');
  await bob.emit('join', { room: 'lobby' });
  await say(page, 'hello by TLS');
  assert.equal((await bob.next('chatMessage', { timeout: 20000 })).data.message, 'hello by TLS');
  await bob.emit('sendMessage', { room: 'lobby', message: 'and back' });
  await shows(page, '#messages .text', 'and back');
  assert.ok(sockets.length > 0 && sockets.every((url) => url.startsWith('wss:')), String(sockets));
  assert.deepEqual(faults, []);
  await bob.close();
});
