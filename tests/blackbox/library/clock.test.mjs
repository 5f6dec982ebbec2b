// sluice.js and time: beats, silence, timers that come late, pages that are hidden or offline. The
// page and the clock are the test's.
import assert from 'node:assert/strict';
import { sleep, test, until } from '../lib/harness.mjs';
import { scripted } from '../lib/scripted.mjs';
import { Sluice } from '../../../gateway/web/sluice.js';

// A page for one test: pass(ms) lets time pass in one step and fires the page's interval timer.
function page(t, { visibilityState = 'visible', onLine = true } = {}) {
  const target = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState });
  const navigator = { onLine };
  let now = 1e6;
  let tick = null;
  const fakes = {
    document,
    navigator,
    performance: { now: () => now },
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
    setInterval: (fn) => ((tick = fn), 1),
    clearInterval: () => (tick = null),
  };
  const old = {};
  for (const [name, value] of Object.entries(fakes)) {
    old[name] = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  t.after(() => {
    for (const [name, was] of Object.entries(old)) {
      if (was) Object.defineProperty(globalThis, name, was);
      else delete globalThis[name];
    }
  });
  return {
    pass(ms) {
      now += ms;
      tick?.();
    },
    get ticks() {
      return tick !== null;
    },
    fire: (event) => target.dispatchEvent(new Event(event)),
    show(state) {
      document.visibilityState = state;
      document.dispatchEvent(new Event('visibilitychange'));
    },
    network(on) {
      navigator.onLine = on;
      target.dispatchEvent(new Event(on ? 'online' : 'offline'));
    },
  };
}

async function start(t, options = {}, how = {}) {
  const here = page(t, how);
  const WebSocket = scripted(how);
  const given = { reconnect: { least: 1, most: 5 }, ...options, WebSocket };
  const sluice = new Sluice('ws://host/ws', { userId: 'ann' }, given);
  const states = [];
  sluice.on('state', (change) => states.push(change));
  await WebSocket.last.enter();
  const beats = (socket = WebSocket.last) =>
    socket.sent.filter(({ event }) => event === 'heartbeat').length;
  return { here, WebSocket, sluice, states, beats, end: () => sluice.close(0) };
}

const answered = () => sleep(1); // the scripted answers come in microtasks

test('a beat every two seconds, and the answers keep it alive', async (t) => {
  const { here, sluice, beats, end } = await start(t);
  await answered();
  assert.equal(beats(), 1);
  for (let i = 2; i <= 30; i++) {
    here.pass(2000);
    await answered();
    assert.equal(beats(), i);
  }
  assert.equal(sluice.state, 'online');
  await end();
  assert.ok(!here.ticks, 'no timer is left');
});

test('an hour of sleep is not the silence of the server; its silence is', async (t) => {
  const { here, states, WebSocket, end } = await start(t);
  await answered();
  WebSocket.answering = {}; // the server has gone dumb
  here.pass(2000); // this beat is owed an answer
  here.pass(3600000);
  assert.equal(states.at(-1).state, 'online', 'the timer was late, not the server');
  here.pass(2000);
  assert.equal(states.at(-1).state, 'online');
  for (let i = 0; i < 4; i++) here.pass(2000);
  assert.deepEqual([states.at(-1).state, states.at(-1).reason], ['away', 'silent']);
  await end();
});

test('seen again, a page finds out sooner that the server is gone', async (t) => {
  const { here, states, WebSocket, end } = await start(t);
  await answered();
  here.show('visible');
  await answered();
  for (let i = 0; i < 10; i++) {
    here.pass(2000);
    await answered();
  }
  assert.equal(states.at(-1).state, 'online', 'it answered');
  WebSocket.answering = {};
  here.show('visible');
  for (let i = 0; i < 3; i++) here.pass(2000);
  assert.equal(states.at(-1).reason, 'silent');
  await end();
});

test('much that is on its way gives the line more time', async (t) => {
  const { here, sluice, states, end } = await start(t, { heartbeat: 0 });
  const big = sluice.emit('sendMessage', { room: 'r', message: 'x'.repeat(160000) });
  big.catch(() => {});
  for (let i = 0; i < 6; i++) here.pass(2500); // 10 s and 160,000 bytes at 16 bytes a ms
  assert.equal(states.at(-1).state, 'online');
  for (let i = 0; i < 4; i++) here.pass(2500);
  assert.equal(states.at(-1).reason, 'silent');
  await end();
});

test('a hidden page whose timers come late does not flap: it beats again when seen', async (t) => {
  const { here, sluice, beats, states, end } = await start(t);
  here.show('hidden');
  here.pass(2000);
  await answered();
  const before = beats();
  for (let i = 0; i < 5; i++) {
    here.pass(60000);
    await answered();
  }
  assert.equal(beats(), before, 'one beat a minute would be a coming and a going a minute');
  assert.equal(sluice.state, 'online');
  here.show('visible');
  assert.equal(beats(), before + 1);
  await answered();
  assert.equal(states.length, 1);
  await end();
});

test('what was not answered is sent again for five minutes, then nobody knows', async (t) => {
  const { here, WebSocket, sluice, end } = await start(t, { heartbeat: 0 });
  const send = (message) => sluice.emit('sendMessage', { room: 'r', message });
  const old = send('old');
  const failed = assert.rejects(old, { code: 'unavailable', outcome: 'unknown' });
  await WebSocket.last.heard('sendMessage');
  here.pass(100000);
  WebSocket.last.drop(1006);
  const second = await (await WebSocket.next(2)).enter();
  await second.heard('sendMessage');
  here.pass(180000); // 280 s
  second.drop(1006);
  const third = await (await WebSocket.next(3)).enter();
  await third.heard('sendMessage');
  third.drop(1006);
  const young = send('young'); // never sent so far
  here.pass(30000);
  await failed;
  const last = await (await WebSocket.next(4)).enter();
  const { data } = await last.heard('sendMessage');
  assert.equal(data.message, 'young');
  // A refusal is no doubt, however long it lasts.
  last.answer('sendMessage', { error: { code: 'unavailable', outcome: 'refused' } });
  here.pass(400000);
  await last.heard('sendMessage');
  last.answer('sendMessage', { seq: 1 });
  await young;
  await end();
});

test('five minutes of sleep count, by whichever clock runs', async (t) => {
  const { WebSocket, sluice, end } = await start(t, { heartbeat: 0, chunk: 1024 });
  const old = sluice.emit('sendMessage', { room: 'r', message: 'x' });
  const failed = assert.rejects(old, { code: 'unavailable', outcome: 'unknown' });
  await WebSocket.last.heard('sendMessage');
  const { now } = Date;
  t.after(() => (Date.now = now));
  Date.now = () => now() + 301000; // and performance.now() stood still
  WebSocket.last.drop(1006);
  await (await WebSocket.next(2)).enter();
  await failed;
  await answered();
  assert.deepEqual(WebSocket.last.unanswered(), []);

  // A long text that is given up holds nothing up.
  const long = sluice.emit('sendMessage', { room: 'r', message: 'x'.repeat(2000) });
  const givenUp = assert.rejects(long, { code: 'unavailable', outcome: 'unknown' });
  const next = sluice.emit('sendMessage', { room: 'r', message: 'y' });
  for (const index of [0, 1]) {
    assert.equal((await WebSocket.last.heard('message_chunk')).data.index, index);
    if (index === 0) WebSocket.last.answer('message_chunk');
  }
  Date.now = () => now() + 602000;
  WebSocket.last.drop(1006);
  const last = await (await WebSocket.next(3)).enter();
  await givenUp;
  await last.heard('sendMessage');
  last.answer('sendMessage', { seq: 1 });
  await next;
  await end();
});

test('hidden with a worker: it ticks in the place of the page', async (t) => {
  const workers = [];
  globalThis.Worker = class {
    constructor(url, options) {
      Object.assign(this, { url: String(url), options, asked: [] });
      workers.push(this);
    }
    postMessage(every) {
      this.asked.push(every);
    }
    terminate() {
      this.ended = true;
    }
  };
  t.after(() => delete globalThis.Worker);
  const { here, beats, end } = await start(t);
  await answered();
  assert.equal(workers.length, 0);
  here.show('hidden');
  assert.match(workers[0].url, /sluice\.js$/);
  assert.deepEqual([workers[0].options.type, workers[0].asked], ['module', [1000]]);
  const before = beats();
  here.pass(2000); // both call: one beat
  workers[0].onmessage();
  await answered();
  assert.equal(beats(), before + 1);
  here.show('visible');
  assert.ok(workers[0].ended);
  here.show('hidden');
  await end();
  assert.ok(workers[1].ended);
});

test('offline: away at once, no attempt; online: back at once', async (t) => {
  const { here, sluice, states, WebSocket, end } = await start(t);
  here.network(false);
  assert.equal(states.at(-1).state, 'away');
  assert.match(states.at(-1).hint, /offline/);
  assert.equal(states.at(-1).delay, undefined);
  await sleep(60); // `most` is 5
  assert.equal(WebSocket.sockets.length, 1);
  const kept = sluice.emit('sendMessage', { room: 'r', message: 'x' });
  here.network(true);
  assert.equal(WebSocket.sockets.length, 2, 'at once');
  await WebSocket.last.enter();
  await WebSocket.last.heard('sendMessage');
  WebSocket.last.answer('sendMessage', { seq: 1 });
  await kept;
  // Cut off first, offline then.
  WebSocket.last.drop(1006);
  here.network(false);
  assert.match(states.at(-1).hint, /offline/);
  await sleep(60);
  assert.equal(WebSocket.sockets.length, 2);
  here.network(true);
  assert.equal(WebSocket.sockets.length, 3);
  await end();
});

test('a page that is seen again asks at once whether the server is there', async (t) => {
  const options = { heartbeat: 0, reconnect: { least: 1e6, most: 1e6 } };
  const { here, WebSocket, end } = await start(t, options);
  here.fire('pageshow');
  const { data } = await WebSocket.last.heard('unsubscribe');
  assert.deepEqual(data, { channel: 'topic:-' }, 'a question without effect');
  WebSocket.last.drop(1006);
  assert.equal(WebSocket.sockets.length, 1);
  here.show('visible');
  assert.equal(WebSocket.sockets.length, 2, 'the long wait is over');
  await end();
  here.network(false);
  here.network(true);
  await until(() => WebSocket.last.closed);
  await sleep(20);
  assert.equal(WebSocket.sockets.length, 2, 'closed is closed');
});
