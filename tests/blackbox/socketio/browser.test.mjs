// Socket.IO's clients for browsers, in Chromium, on a page of another origin than the nodes'.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after } from 'node:test';
import { faultsOf, newContext } from '../lib/chromium.mjs';
import { cluster, login, ROOT, startNode, test } from '../lib/harness.mjs';

const BUNDLES = {
  today: 'socket.io-client/dist/socket.io.min.js',
  '4.0': 'socket.io-client-40/dist/socket.io.min.js',
  3.1: 'socket.io-client-3/dist/socket.io.min.js',
};
const site = http.createServer((request, response) => {
  const bundle = BUNDLES[request.url.slice(1)];
  if (bundle) {
    response.setHeader('Content-Type', 'text/javascript');
    response.end(fs.readFileSync(path.join(ROOT, 'tests/node_modules', bundle)));
  } else {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>page</title>');
  }
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const ORIGIN = `http://127.0.0.1:${site.address().port}`;
after(() => {
  site.closeAllConnections();
  site.close();
});

const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--cors-origins', `${ORIGIN},https://other.example`] });
after(stop);

// A page with that client's io().
async function open(version) {
  const page = await (await newContext()).newPage();
  page.faults = faultsOf(page);
  await page.goto(`${ORIGIN}/`);
  await page.addScriptTag({ url: `/${version}` });
  return page;
}

/*
 * In the page: connects, enters, sends binary to `to` and itself, and waits for what comes back.
 * Resolves to what it saw.
 */
function visit({ url, options, user, to }) {
  return new Promise((resolve, reject) => {
    const socket = io(url, options);
    const { engine } = socket.io;
    const saw = { first: engine.transport.name, name: engine.transport.name };
    const upgrades = saw.first === 'polling' && !options.transports;
    const look = () => {
      if (!('own' in saw && 'theirs' in saw && (!upgrades || saw.name === 'websocket'))) return;
      socket.disconnect();
      resolve(saw);
    };
    engine.on('upgrade', ({ name }) => look((saw.name = name)));
    socket.on('connect_error', ({ message }) => reject(new Error(message)));
    socket.on('connect', () => {
      socket.emit('login', { userId: user }, (ack) => {
        saw.ack = ack;
        socket.emit('join', { room: user }, () => {
          const blob = new Uint8Array([0, 1, 254, 255]).buffer;
          socket.emit('sendMessage', { message: { text: 'ä€😀', blob } });
          socket.emit('private_message', { receiverId: to, content: 'from a browser' });
        });
      });
    });
    socket.on('chatMessage', ({ message: { text, blob } }) => {
      look((saw.own = [text, ...new Uint8Array(blob)]));
    });
    socket.on('new_private_message', ({ content }) => look((saw.theirs = content)));
  });
}

for (const version of Object.keys(BUNDLES)) {
  for (const transports of [undefined, ['polling'], ['websocket']]) {
    for (const withCredentials of [false, true]) {
      const way = `${version}, ${transports ?? 'as it comes'}${withCredentials ? ', with cookies' : ''}`;

      test(`${way}: both ways, binary too`, async () => {
        const user = way.replace(/\W+/g, '-');
        const json = await login(nodes[1], `friend-${user}`);
        const page = await open(version);
        const options = { transports, withCredentials, forceNew: true, reconnection: false };
        if (!transports) delete options.transports;
        const visited = page.evaluate(visit, { url: nodes[0].url, options, user, to: `friend-${user}` });
        visited.catch(() => {});
        const { data } = await json.next('new_private_message', { timeout: 20000 });
        assert.equal(data.content, 'from a browser');
        await json.emit('private_message', { receiverId: user, content: 'from a node' });
        const saw = await visited;
        assert.equal(saw.ack.userId, user);
        assert.equal(saw.first, transports?.[0] ?? 'polling');
        assert.equal(saw.name, transports?.[0] ?? 'websocket');
        assert.deepEqual([saw.own, saw.theirs], [['ä€😀', 0, 1, 254, 255], 'from a node']);
        assert.deepEqual(page.faults, []);
        await page.context().close();
        await json.close();
      });
    }
  }
}

test('an origin that is not listed: neither way', async () => {
  const node = await startNode({ redis, args: ['--cors-origins', 'https://other.example'] });
  const page = await open('today');
  for (const transports of [['polling'], ['websocket']]) {
    const options = { transports, forceNew: true, reconnection: false };
    const visited = page.evaluate(visit, { url: node.url, options, user: 'no', to: 'no' });
    await assert.rejects(visited, /(xhr poll|websocket) error/);
  }
  await page.context().close();
  await node.stop();
});

test('no origins are listed: neither way', async () => {
  const node = await startNode({ redis });
  const page = await open('today');
  const given = (transports) => ({ url: node.url, options: { transports, forceNew: true, reconnection: false }, user: 'alone', to: 'no' });
  await assert.rejects(page.evaluate(visit, given(['polling'])), /xhr poll error/);
  await assert.rejects(page.evaluate(visit, given(['websocket'])), /websocket error/);
  await page.context().close();
  await node.stop();
});
