// A connection that reads nothing, alone in its channel: what the queue does not hold is counted,
// the connection is closed as slow, and the node goes on.
import assert from 'node:assert/strict';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { metrics } from '../lib/registry.mjs';

const MAX_QUEUE = 1 << 20;
const args = ['--max-queue', MAX_QUEUE, '--close-timeout', '200ms'];
const { nodes, stop } = await cluster({ nodes: 2, args });
const queueFull = { reason: 'queue_full' };

// Publishes until `enough`, which looks at the slow reader's node.
async function flood(publish, enough) {
  for (let rounds = 0; rounds < 200; rounds++) {
    await publish();
    if (enough(await metrics(nodes[0]))) return;
  }
  assert.fail('the queue took it all');
}

test('messages: counted once, closed with 1013', async () => {
  const ann = await login(nodes[1], 'ann');
  const slow = await login(nodes[0], 'slow');
  const witness = await login(nodes[0], 'witness');
  await slow.emit('subscribe', { channel: 'topic:t' });
  await witness.emit('subscribe', { channel: 'topic:witness' });
  const before = await metrics(nodes[0]);
  assert.equal(before('sluice_queue_bytes'), 0);
  slow.pauseReading();
  const data = 'x'.repeat(30000);
  const publish = (channel) => ann.emit('publish', { channel, data });
  const many = async () => {
    await Promise.all(Array.from({ length: 10 }, () => publish('topic:t')));
    await publish('topic:witness'); // behind them on the node's link to Redis
    await witness.next('message');
  };
  let held = 0;
  await flood(many, (value) => {
    held = Math.max(held, value('sluice_queue_bytes'));
    return value('sluice_closes_total', { code: 1013 }) === 1;
  });
  assert.ok(held > 0 && held <= MAX_QUEUE, `${held} bytes waited`);
  const after = await metrics(nodes[0]);
  assert.equal(after('sluice_dropped_total', { class: 'message', ...queueFull }), 1);
  await until(async () => (await metrics(nodes[0]))('sluice_connections', { door: 'json' }) === 1);
  assert.equal((await metrics(nodes[0]))('sluice_queue_bytes'), 0);
  slow.resumeReading();
  await slow.closed;
  for (const client of [ann, witness]) await client.close();
});

test('ephemeral events: counted, and the connection stays', async () => {
  const room = 'r'.repeat(128); // long frames fill the kernel's buffers sooner
  const ann = await login(nodes[1], 'a'.repeat(128));
  const slow = await login(nodes[0], 'slow');
  for (const client of [ann, slow]) await client.emit('join', { room });
  await slow.next('onlineUsers');
  const before = await metrics(nodes[0]);
  slow.pauseReading();
  const many = () =>
    Promise.all(Array.from({ length: 2000 }, () => ann.emit('typing', { room })));
  const dropped = (value) => value('sluice_dropped_total', { class: 'ephemeral', ...queueFull });
  await flood(many, (value) => dropped(value) > dropped(before));
  const after = await metrics(nodes[0]);
  assert.equal(after('sluice_closes_total'), before('sluice_closes_total'));
  slow.resumeReading();
  await slow.emit('heartbeat', {});
  await until(async () => (await metrics(nodes[0]))('sluice_queue_bytes') === 0);
  await stop(); // fails if a sanitizer spoke
});
