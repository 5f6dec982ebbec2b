// Pages that load the client of Socket.IO from the server, in Chromium: not a line of them knows of
// Sluice. They lie beside the nodes behind one nginx, or on another site.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { after } from 'node:test';
import { faultsOf, newContext } from '../lib/chromium.mjs';
import { login, ROOT, test, until } from '../lib/harness.mjs';
import { clusterBehindNginx } from '../lib/nginx.mjs';

const DIST = path.join(ROOT, 'tests/node_modules/socket.io-client/dist');

// What each page does: a form, and a list of what was said.
const CHAT = `
  const me = location.hash.slice(1);
  socket.on('connect', () => {
    socket.emit('login', { userId: me }, () => socket.emit('join', { room: 'page' }));
  });
  socket.on('onlineUsers', (ids) => (document.title = ids.join()));
  socket.on('chatMessage', ({ userId, message }) => {
    const item = document.createElement('li');
    item.textContent = userId + ': ' + message;
    document.getElementById('messages').append(item);
  });
  document.querySelector('form').addEventListener('submit', (event) => {
    event.preventDefault();
    socket.emit('sendMessage', event.target.text.value);
  });`;
const html = (scripts) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<ul id="messages"></ul><form><input name="text"><button>Send</button></form>
${scripts}`;

const pages = {}; // path → text
const site = http.createServer(({ url }, response) => {
  response.setHeader('Content-Type', 'text/html');
  response.end(pages[url]);
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const siteUrl = `http://127.0.0.1:${site.address().port}`;

const { nodes, nginx, stop } = await clusterBehindNginx({
  nodes: 2,
  args: ['--socketio-client', DIST, '--cors-origins', siteUrl],
  nginx: { more: `location /site/ { proxy_pass ${siteUrl}; }\n` },
});
after(async () => {
  await stop();
  site.close();
});

// The page at this address, in which nothing may go wrong.
async function open(t, address) {
  const page = await (await newContext()).newPage();
  const faults = faultsOf(page);
  t.after(async () => {
    await page.context().close();
    assert.deepEqual(faults, []);
  });
  await page.goto(address);
  return page;
}

function openBeside(t, name, scripts) {
  pages[`/site/${name}`] = html(scripts);
  return open(t, `${nginx.url}/site/${name}#${name}`);
}

// It says something and hears another: each came once.
async function chats(page, me, there) {
  const other = `bob-of-${me}`;
  const bob = await login(there, other);
  await bob.emit('join', { room: 'page' });
  await page.waitForFunction((who) => document.title.includes(who), other);
  await page.fill('[name=text]', `I am ${me}`);
  await page.click('button');
  const { data } = await bob.next('chatMessage');
  assert.deepEqual([data.userId, data.message], [me, `I am ${me}`]);
  await bob.emit('sendMessage', { room: 'page', message: 'and I am Bob' });
  const items = page.locator('#messages li');
  await items.nth(1).waitFor();
  assert.deepEqual(await items.allTextContents(), [`${me}: I am ${me}`, `${other}: and I am Bob`]);
  await page.waitForFunction(() => socket.io.engine.transport.name === 'websocket');
  await bob.close();
}

for (const [i, file] of ['socket.io.js', 'socket.io.min.js'].entries()) {
  test(`<script src="/socket.io/${file}"></script>`, async (t) => {
    const scripts = `<script src="/socket.io/${file}"></script>
<script>
  const socket = io();${CHAT}
</script>`;
    await chats(await openBeside(t, `page-${i}`, scripts), `page-${i}`, nodes[i]);
  });
}

test('import, in a page of another origin', async (t) => {
  pages['/'] = html(`<script type="module">
  import { io } from '${nginx.url}/socket.io/socket.io.esm.min.js';
  const socket = (window.socket = io('${nginx.url}'));${CHAT}
</script>`);
  await chats(await open(t, `${siteUrl}/#module`), 'module', nodes[1]);
});

test('a second visit asks only whether it has changed', async (t) => {
  const page = await openBeside(t, 'again', '<script src="/socket.io/socket.io.js"></script>');
  const cdp = await page.context().newCDPSession(page);
  const seen = [];
  await cdp.send('Network.enable');
  cdp.on('Network.responseReceivedExtraInfo', ({ statusCode }) => seen.push(statusCode));
  await page.goto('about:blank');
  await page.goto(`${nginx.url}/site/again`);
  assert.equal(await page.evaluate(() => typeof io), 'function');
  await until(() => seen.length === 2);
  assert.deepEqual(seen.sort(), [200, 304], 'the page and the script');
});
