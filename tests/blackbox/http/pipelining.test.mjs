// A client that pipelines HTTP requests and reads no answer cannot fill the node's memory.
import assert from 'node:assert/strict';
import net from 'node:net';
import { cluster, hasComeTo, test, until } from '../lib/harness.mjs';
import { memory } from '../lib/processes.mjs';

const MOST_MIB = 150; // more than the node is worth, far less than all the answers
const { nodes } = await cluster({ nodes: 2 });
const peak = (node) => Math.floor(memory(node, 'VmHWM'));

test('answers come in order until the node ends the connection, its memory stays', async () => {
  const [node] = nodes;
  const page = (await node.get('/chat.js')).body;
  const socket = net.connect(node.port, '127.0.0.1');
  socket.pause();
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  let over = false;
  socket.on('error', () => {});
  socket.on('close', () => (over = true));
  socket.write('GET /chat.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(30000));
  // What the node takes, it has taken when nothing moves for a while.
  const left = () => socket.writableLength;
  for (let before = -1; left() !== before && left() > 0; ) {
    before = left();
    for (let i = 0; i < 5; i++) assert.equal((await node.get('/healthz')).status, 200);
    await hasComeTo(() => left() !== before, 300);
  }
  for (let i = 0; i < 5; i++) assert.equal((await node.get('/healthz')).status, 200);
  assert.ok(peak(node) < MOST_MIB, `at most ${peak(node)} MiB`);

  socket.resume();
  await until(() => over, { what: 'the node ends the connection' });
  const text = Buffer.concat(chunks).toString();
  const answers = text.split('HTTP/1.1 200 OK\r\n').slice(1);
  assert.ok(answers.length > 0 && answers.length < 30000, `${answers.length} answers`);
  for (const answer of answers.slice(0, -1)) assert.ok(answer.endsWith(`\r\n\r\n${page}`));
  assert.ok(peak(node) < MOST_MIB, `at most ${peak(node)} MiB`);
});
