// sluice.js in Chromium, imported from a node.
import assert from 'node:assert/strict';
import http from 'node:http';
import { closeContexts, newContext } from '../lib/chromium.mjs';
import { cluster, login, request, startNode, test, until } from '../lib/harness.mjs';
import { startDoor } from '../lib/roaming.mjs';

const ARGS = ['--lease-timeout', '1s', '--lease-interval', '200ms', '--drain', '100ms'];
const HEARTBEATS = [...ARGS, '--heartbeat-timeout', '2s'];

async function start(t, args = ARGS) {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  const door = await startDoor(nodes[0]);
  t.after(async () => {
    await closeContexts();
    door.close();
    await stop();
  });
  const site = `http://127.0.0.1:${door.port}`;
  return { redis, nodes, door, site };
}

// A page with a Sluice of this user, in the room r: what came is in window.heard and states.
async function open(site, user, { script, from = '', options = {} } = {}) {
  const context = await newContext();
  if (script) await context.addInitScript(script);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.goto(`${site}/sluice.d.ts`); // any page of the site
  await page.evaluate(
    async ([from, url, userId, options]) => {
      const { Sluice } = await import(`${from}/sluice.js`);
      const given = { reconnect: { least: 10, most: 200 }, ...options };
      Object.assign(window, { heard: [], states: [], lost: [] });
      window.sluice = new Sluice(url, { userId }, given);
      sluice.on('chatMessage', ({ message }) => heard.push(message));
      sluice.on('state', (change) => states.push(change));
      sluice.on('lost', (what) => lost.push(what));
      await sluice.emit('join', { room: 'r' });
    },
    [from, from ? `${from}/ws` : '/ws', user, options],
  );
  const say = (message) =>
    page.evaluate((what) => sluice.emit('sendMessage', { room: 'r', message: what }), message);
  const state = () => page.evaluate(() => sluice.state);
  const heard = (text) => page.waitForFunction((what) => heard.includes(what), text);
  return { context, page, say, state, heard, faults };
}

test('two pages chat over a node that is killed', { timeout: 90000 }, async (t) => {
  const { redis, door, nodes, site } = await start(t);
  const ann = await open(site, 'ann');
  const bob = await open(site, 'bob');
  for (let i = 1; i <= 5; i++) await ann.say(`a${i}`);
  await bob.heard('a5');
  // A hundred in one go, and the node dies among them.
  const all = ann.page.evaluate(() => {
    const texts = Array.from({ length: 100 }, (_, i) => `b${i + 1}`);
    return Promise.all(texts.map((message) => sluice.emit('sendMessage', { room: 'r', message })));
  });
  await bob.heard('b10');
  door.to(nodes[1]);
  await nodes[0].kill();
  assert.equal((await all).length, 100);
  await bob.say('I am here too');
  const expected = [1, 2, 3, 4, 5].map((i) => `a${i}`);
  for (let i = 1; i <= 100; i++) expected.push(`b${i}`);
  expected.push('I am here too');
  for (const { page, heard, faults } of [ann, bob]) {
    await heard('I am here too');
    assert.deepEqual(await page.evaluate(() => window.heard), expected);
    assert.deepEqual(await page.evaluate(() => lost), []);
    assert.equal(await page.evaluate(() => sluice.node), nodes[1].id);
    assert.deepEqual(faults, []);
  }
  // A drained node says so.
  const third = await startNode({ redis, args: ARGS });
  door.to(third);
  await nodes[1].stop('SIGTERM');
  await ann.page.waitForFunction((id) => sluice.state === 'online' && sluice.node === id, third.id);
  const away = await ann.page.evaluate(() => states.filter(({ code }) => code === 1012));
  assert.equal(away.length, 1);
  assert.match(away[0].hint, /restarts/);
  await ann.page.evaluate(() => sluice.close());
  assert.equal(await ann.state(), 'closed');
  await third.stop('SIGINT');
});

test('without a network it waits, and comes back with it', async (t) => {
  const { nodes, site } = await start(t);
  const ann = await open(site, 'ann');
  const bob = await login(nodes[1], 'bob');
  await bob.emit('join', { room: 'r' });
  await ann.context.setOffline(true);
  await ann.page.waitForFunction(() => sluice.state === 'away');
  const told = await ann.page.evaluate(() => states.at(-1));
  assert.match(told.hint, /offline/);
  assert.equal(told.delay, undefined);
  await bob.emit('sendMessage', { room: 'r', message: 'meanwhile' });
  await ann.page.evaluate(() => {
    window.kept = sluice.emit('sendMessage', { room: 'r', message: 'from the train' });
  });
  await new Promise((resolve) => setTimeout(resolve, 500)); // `most` is 200
  assert.equal((await ann.page.evaluate(() => states)).length, 2, 'no attempts');
  await ann.context.setOffline(false);
  await ann.page.evaluate(() => kept);
  await ann.heard('from the train');
  assert.deepEqual(await ann.page.evaluate(() => heard), ['meanwhile', 'from the train']);
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'from the train' });
});

// The page says that it is hidden, and its interval timers fire once a minute.
function hiddenPage() {
  const every = window.setInterval;
  window.setInterval = (fn, ms) => every(fn, Math.max(ms, 60000));
  window.hide = (hidden) => {
    Object.defineProperty(document, 'visibilityState', {
      get: () => (hidden ? 'hidden' : 'visible'),
      configurable: true,
    });
    document.dispatchEvent(new Event('visibilitychange'));
  };
}

test('a hidden page stays online by its worker', async (t) => {
  const { nodes, site } = await start(t, HEARTBEATS);
  const bob = await login(nodes[1], 'bob');
  await bob.emit('join', { room: 'r' });
  const options = { heartbeat: 100 };
  const ann = await open(site, 'ann', { script: hiddenPage, options });
  await ann.page.evaluate(() => hide(true));
  await until(() => ann.page.workers().length === 1);
  const left = (who) => ({ match: ({ data }) => data === who, timeout: 15000 });
  // One more, whose page cannot have a worker, is out of presence in two seconds, and only once.
  const script = `(${hiddenPage})(); delete window.Worker;`;
  const cat = await open(site, 'cat', { script, options });
  await cat.page.evaluate(() => hide(true));
  await bob.next('user_offline', left('cat'));
  await bob.none('user_offline', 3000, left('ann')); // longer than the heartbeat timeout
  await bob.emit('sendMessage', { room: 'r', message: 'you still hear me' });
  for (const { heard } of [ann, cat]) await heard('you still hear me');
  bob.take('user_online');
  await cat.page.evaluate(() => hide(false));
  await bob.next('user_online', left('cat'));
  await ann.page.evaluate(() => hide(false));
  await until(() => ann.page.workers().length === 0);
  assert.deepEqual([ann.faults, cat.faults], [[], []]);
});

test('a page of another origin imports it too', async (t) => {
  const site = http.createServer((_, response) => response.end('elsewhere'));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  t.after(() => site.close());
  const elsewhere = `http://127.0.0.1:${site.address().port}`;
  const { nodes } = await start(t, [...ARGS, '--allowed-origins', elsewhere]);
  const [node] = nodes;
  const ann = await open(elsewhere, 'ann', { from: node.url });
  await ann.say('from elsewhere');
  await ann.heard('from elsewhere');
  await ann.page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
    document.dispatchEvent(new Event('visibilitychange')); // no worker of another origin: no harm
  });
  assert.equal(await ann.state(), 'online');
  assert.deepEqual(ann.faults, []);
  for (const [file, type] of [
    ['sluice.js', /^text\/javascript/],
    ['sluice.d.ts', /^text\/plain/],
  ]) {
    const { status, headers } = await request(`${node.url}/${file}`);
    assert.equal(status, 200);
    assert.match(headers['content-type'], type);
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(headers['cross-origin-resource-policy'], 'cross-origin');
  }
  const { headers } = await request(`${node.url}/chat.js`);
  assert.equal(headers['access-control-allow-origin'], undefined, 'the page is the node’s own');
});
