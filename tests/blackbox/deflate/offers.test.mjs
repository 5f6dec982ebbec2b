// Sec-WebSocket-Extensions: which offers of permessage-deflate are agreed to, with what answer.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { newContext } from '../lib/chromium.mjs';
import { cluster, connect, startNode, tempDir, test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';
import { metricChanges } from '../lib/registry.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 1, args: ['--deflate', '--channels', 'chat:rw'] });
after(stop);
const [node] = nodes;

const AGREED = `${raw.OFFER}; server_no_context_takeover; client_no_context_takeover`;

// The answer's extensions; `offers`: an array is a header for each.
async function ask(offers, { at = node, path: where = '/ws' } = {}) {
  const s = await raw.dial(at);
  const lines = [offers].flat().map((offer) => `Sec-WebSocket-Extensions: ${offer}\r\n`);
  await s.write(raw.handshake({ path: where }).replace(/\r\n$/, `${lines.join('')}\r\n`));
  const { status, headers } = await s.response();
  assert.equal(status, 101);
  s.destroy();
  return headers['sec-websocket-extensions'];
}

for (const [name, offer] of [
  ['Chromium, Edge, ws, Socket.IO on Node', 'permessage-deflate; client_max_window_bits'],
  ['Firefox', 'permessage-deflate'],
  ['Safari', 'permessage-deflate'],
  ['Go, Rust', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
  ['a client that names its own window', 'permessage-deflate; client_max_window_bits=10'],
  ['a quoted value', 'permessage-deflate; client_max_window_bits="15"'],
  ['blanks anywhere', '\tpermessage-deflate ;  client_max_window_bits = 9 '],
]) {
  test(`the offer of ${name}`, async () => assert.equal(await ask(offer), AGREED));
}

test('a window for the server is promised', async () => {
  for (const bits of [8, 9, 10, 11, 12, 13, 14, 15]) {
    const offer = `${raw.OFFER}; client_max_window_bits; server_max_window_bits=${bits}`;
    assert.equal(await ask(offer), `${AGREED}; server_max_window_bits=${bits}`);
  }
});

for (const [name, offer] of [
  ['another extension', 'permessage-bzip2'],
  ['an unknown parameter', 'permessage-deflate; level=9'],
  ['a parameter twice', 'permessage-deflate; client_max_window_bits; client_max_window_bits=9'],
  ['a value where there is none', 'permessage-deflate; server_no_context_takeover=1'],
  ['a window of 7 bits', 'permessage-deflate; server_max_window_bits=7'],
  ['a window of 16 bits', 'permessage-deflate; client_max_window_bits=16'],
  ['a window without bits', 'permessage-deflate; server_max_window_bits'],
  ['a zero before the bits', 'permessage-deflate; server_max_window_bits=09'],
  ['a list that is none', 'permessage-deflate; '],
  ['nothing', ''],
]) {
  test(`${name} is passed over, and the socket opens`, async () => {
    assert.equal(await ask(offer), undefined);
  });
}

test('the first offer that can be served counts, in one header or in several', async () => {
  const [bad, nine, any] = ['; x', '; server_max_window_bits=9', ''].map((more) => raw.OFFER + more);
  for (const offers of [[bad, nine, any], [`${bad}, ${nine}`, any], ['a; b=c', `${nine},${any}`]]) {
    assert.equal(await ask(offers), `${AGREED}; server_max_window_bits=9`);
    assert.equal(await ask(offers.join(', ')), `${AGREED}; server_max_window_bits=9`);
  }
  assert.equal(await ask([any, nine]), AGREED);
});

test('every door agrees', async () => {
  for (const where of ['/ws', '/channels/chat', '/socket.io/?EIO=4&transport=websocket']) {
    assert.equal(await ask(raw.OFFER, { path: where }), AGREED);
  }
});

test('a subprotocol and the extension are agreed to side by side', async () => {
  const client = await connect(node, { protocols: ['chat'], perMessageDeflate: true });
  assert.equal(client.socket.protocol, 'chat');
  assert.match(client.socket.extensions, /^permessage-deflate/);
});

test('ws agrees to the answer, whatever it offers', async () => {
  for (const perMessageDeflate of [
    true,
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    { serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
    { serverMaxWindowBits: 8, clientMaxWindowBits: 8 },
    { serverMaxWindowBits: 15, clientMaxWindowBits: true },
  ]) {
    const client = await connect(node, { perMessageDeflate });
    assert.match(client.socket.extensions, /^permessage-deflate/, JSON.stringify(perMessageDeflate));
    await client.close();
  }
});

// In a page: publishes the text to a topic, and resolves to what comes back.
function talk({ url, text }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const send = (event, data) => socket.send(JSON.stringify({ event, data }));
    socket.onerror = () => reject(new Error('refused, or broken'));
    socket.onclose = ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`));
    socket.onopen = () => {
      send('login', { userId: 'page' });
      send('subscribe', { channel: 'topic:page' });
      send('publish', { channel: 'topic:page', data: text });
    };
    socket.onmessage = ({ data }) => {
      const { event, data: came } = JSON.parse(data);
      if (event === 'message') resolve({ extensions: socket.extensions, came });
    };
  });
}

test('Chromium agrees to the answer, sends compressed messages and gets them', async () => {
  const page = await (await newContext()).newPage();
  await page.goto(node.url);
  const text = 'ä€😀 and more of it. '.repeat(300);
  const rise = await metricChanges(node, async () => {
    const url = `${node.url.replace('http', 'ws')}/ws`;
    const { extensions, came } = await page.evaluate(talk, { url, text });
    assert.match(extensions, /^permessage-deflate/);
    assert.equal(came, text);
  });
  assert.equal(rise('sluice_deflated_messages_total'), 1);
  assert.ok(rise('sluice_deflated_packed_bytes_total') < 500);
  assert.ok(rise('sluice_inflated_messages_total') >= 1);
});

test('off by default; SIGHUP switches it for connections that are made then', async (t) => {
  const file = path.join(tempDir('config'), 'sluice.conf');
  const write = (value) => fs.writeFileSync(file, value === null ? '\n' : `deflate = ${value}\n`);
  write(null);
  const one = await startNode({ redis, args: ['--config', file] });
  t.after(() => one.stop());
  assert.equal(await ask(raw.OFFER, { at: one }), undefined);
  write('true');
  one.signal('SIGHUP');
  await until(async () => (await ask(raw.OFFER, { at: one })) === AGREED);
  const kept = await raw.rawConnect(one, { headers: { 'Sec-WebSocket-Extensions': raw.OFFER } });
  write('false');
  one.signal('SIGHUP');
  await until(async () => (await ask(raw.OFFER, { at: one })) === undefined);
  // The connection that agreed to it keeps it.
  await kept.send(raw.TEXT, raw.pack(raw.beat(1)), { rsv: 4 });
  assert.deepEqual(await kept.json(), { ack: 1, data: {} });
  kept.destroy();
});
