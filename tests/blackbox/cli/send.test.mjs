// `sluice send`
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { caller, KEY, keyOf, withKeys } from '../lib/api.mjs';
import { secureCluster } from '../lib/certificates.mjs';
import { cluster, freePort, login, startNode, tempDir, test } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

const { args, env } = withKeys({ eyes: 'read', shop: 'publish' });
const { redis, nodes: [node] } = await cluster({ nodes: 1, args, env });
const { good } = caller(node);
const mine = { SLUICE_API_KEY: KEY };
const run = (words, more = mine) => runProgram(['send', ...words], { env: more });
const send = (...words) => run([...words, '--url', node.url]);
const history = async (channel) => (await good('GET', `/channels/${channel}/history`)).messages;
const last = async (channel) => (await history(channel)).at(-1);

async function refused(words, status, parts, more = mine) {
  const { code, out, err } = await run(words, more);
  assert.deepEqual([code, out], [status, ''], `${words}: ${err}`);
  assert.match(err, /^sluice: send: .*\n$/);
  for (const part of parts) assert.ok(err.includes(part), `says ${part}: ${err}`);
}

test('a text to a room: who is there gets it, and seq, time and epoch are printed', async () => {
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'den' });
  const { code, out, err } = await send('room:den', 'dinner is "ready"\n\u00e9');
  assert.deepEqual([code, err], [0, '']);
  const frame = await ann.next('message');
  assert.equal(frame.data, 'dinner is "ready"\n\u00e9');
  const [, seq, time, epoch] = out.match(/^seq {4}(\d+)\ntime {3}(\S+)\nepoch {2}(\S+)\n$/);
  const { seq: stored, timestamp, epoch: known } = await last('room:den');
  assert.deepEqual([Number(seq), Date.parse(time), epoch], [stored, timestamp, known]);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  await ann.close();
});

test('--event, --data and --json', async () => {
  const { code, out } = await send('topic:news', '--event', 'price', '--data={"eur": 1.50}', '--json');
  assert.equal(code, 0);
  assert.match(out, /^\{.*\}\n$/);
  const { seq, epoch } = JSON.parse(out);
  const kept = await last('topic:news');
  assert.deepEqual([kept.seq, kept.epoch, kept.event, kept.data], [seq, epoch, 'price', { eur: 1.5 }]);
});

test('with the same --id it is sent once', async () => {
  const first = await send('topic:once', 'one', '--id', 'order-17');
  assert.equal(first.code, 0, first.err);
  assert.equal((await send('topic:once', 'one', '--id', 'order-17')).out, first.out);
  await refused(['topic:once', 'two', '--id', 'order-17', '--url', node.url], 1, ['conflict']);
  assert.equal((await history('topic:once')).length, 1);
});

test('--ephemeral: no log keeps it', async () => {
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'air' });
  const { code, out } = await send('room:air', 'puff', '--ephemeral');
  assert.deepEqual([code, out], [0, 'sent\n']);
  assert.equal((await ann.next('message')).data, 'puff');
  assert.deepEqual(await history('room:air'), []);
  await ann.close();
});

test('a text may begin with -, after --', async () => {
  assert.equal((await run(['topic:dash', '--url', node.url, '--', '--url'])).code, 0);
  assert.equal((await last('topic:dash')).data, '--url');
  assert.equal((await run(['--url', node.url, '--', 'topic:dash', '-'])).code, 0);
  assert.equal((await last('topic:dash')).data, '-');
});

test('without --url it asks where a node with these options listens', async (t) => {
  const port = await freePort();
  const inside = await freePort();
  const dir = tempDir('send');
  const [file, config] = ['key', 'sluice.conf'].map((name) => path.join(dir, name));
  fs.writeFileSync(file, `${KEY}\n`);
  fs.writeFileSync(config, `listen = 0.0.0.0:${port}\ninternal-listen = 0.0.0.0:${inside}\napi-key-file = ${file}\n`);
  const other = await startNode({ redis, host: '0.0.0.0', port, args: ['--config', config, '--allow-anonymous'] });
  t.after(() => other.stop());
  assert.deepEqual((await run(['topic:own', 'x', '--config', config], {})).code, 0);
  assert.equal((await last('topic:own')).data, 'x');
  await refused(['topic:own', 'x', '--url', `http://127.0.0.1:${port}`], 1, ['404', 'is this the port']);
  const socket = path.join(dir, 'socket');
  const third = await startNode({ redis, args: ['--api-key-file', file] });
  t.after(() => third.stop());
  const relay = net.createServer((client) => client.pipe(net.connect(third.port, '127.0.0.1')).pipe(client));
  await new Promise((resolve) => relay.listen(socket, resolve));
  t.after(() => relay.close());
  for (const way of [['--listen', `unix:${socket}`], ['--url', `unix:${socket}`]])
    assert.equal((await run(['topic:own', 'y', ...way])).code, 0, way[0]);
  assert.equal((await last('topic:own')).data, 'y');
});

test('with TLS: the certificate of these options, or --ca', async (t) => {
  const { ca, redis: shared, nodes: [safe], stop } = await secureCluster({ env });
  t.after(stop);
  const own = ca.issue({ names: ['DNS:chat.example'] });
  const named = await startNode({
    ...{ redis: shared, args: own.args, env },
    tls: { ca: ca.ca, checkServerIdentity: () => undefined },
  });
  t.after(() => named.stop());
  const listen = ['--listen', `127.0.0.1:${named.port}`];
  assert.equal((await run(['topic:a', 'x', ...own.args, ...listen])).code, 0);
  assert.equal((await run(['topic:a', 'x', '--url', safe.url, '--ca', ca.caFile])).code, 0);
  await refused(['topic:a', 'x', '--url', named.url, '--ca', ca.caFile], 1, ['not reached', 'name']);
  await refused(['topic:a', 'x', '--url', safe.url], 1, ['not reached', 'certificate']);
  const other = ca.issue();
  await refused(['topic:a', 'x', ...other.args, ...listen], 1, ['not reached', 'certificate']);
  const headers = { authorization: `Bearer ${KEY}` };
  const { messages } = (await safe.get('/api/v1/channels/topic:a/history', { headers })).json();
  assert.equal(messages.length, 2);
});

test('refused, or not reached', async () => {
  const to = ['--url', node.url];
  const key = (name) => ({ SLUICE_API_KEY: keyOf(name) });
  assert.equal((await run(['topic:a', 'x', ...to], key('shop'))).code, 0);
  await refused(['topic:a', 'x', ...to], 1, ['refused', 'forbidden'], key('eyes'));
  await refused(['topic:a', 'x', ...to], 1, ['unauthorized'], key('nobody'));
  await refused(['lobby', 'x', ...to], 1, ['bad_field', 'channel']);
  await refused(['topic:a', 'x', '--event', 'connect', ...to], 1, ['bad_field', 'event']);
  const port = await freePort();
  await refused(['topic:a', 'x', '--url', `http://127.0.0.1:${port}/`], 1, ['not reached', String(port)]);
  await refused(['topic:a', 'x', '--listen', `127.0.0.1:${port}`], 1, ['not reached', String(port)]);
});

test('an answer that is lost: it may have been sent', async (t) => {
  const server = net.createServer((socket) => socket.once('data', () => socket.destroy()));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}`;
  await refused(['topic:a', 'x', '--url', url, '--id', 'a'], 1, ['did not answer', 'may have been sent', '--id']);
});

test('mistakes are named', async () => {
  const to = ['--url', node.url];
  await refused(['topic:a', 'x', ...to], 2, ['SLUICE_API_KEY'], {});
  await refused(['topic:a', 'x', ...to], 2, ['key'], { SLUICE_API_KEY: 'a b' });
  await refused(['topic:a', 'x', '--api-key-file', '/none'], 2, ['/none'], {});
  await refused(to, 2, ['channel']);
  await refused(['topic:a', ...to], 2, ['TEXT']);
  await refused(['topic:a', 'two', 'words', ...to], 2, ['quotes']);
  await refused(['topic:a', 'x', '--data', '1', ...to], 2, ['--data']);
  for (const data of ['', 'x', '{', '1 2']) await refused(['topic:a', '--data', data, ...to], 2, ['JSON']);
  for (const id of ['', 'a b', '\u00e9', 'x'.repeat(129)]) await refused(['topic:a', 'x', '--id', id, ...to], 2, ['--id']);
  await refused(['topic:a', 'x', '--id', 'a', '--ephemeral', ...to], 2, ['--ephemeral']);
  for (const url of ['ftp://127.0.0.1', 'http://a:b@127.0.0.1', 'http://h?x', 'unix:rel', '', '127.0.0.1:80'])
    await refused(['topic:a', 'x', '--url', url], 2, ['--url']);
  await refused(['topic:a', 'x', '--listen', '127.0.0.1:0'], 2, ['port 0']);
  await refused(['topic:a', 'x', '--health-check'], 2, ['--health-check']);
  const { code, err } = await run(['topic:a', 'x', '--nonsense']);
  assert.deepEqual([code, /^sluice: .*--nonsense.*\n$/.test(err)], [2, true], err);
});
