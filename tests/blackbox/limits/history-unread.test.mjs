// A client that does not read its answers is not given more of them: its requests wait.
import assert from 'node:assert/strict';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { encode, rawConnect, TEXT } from '../lib/rawws.mjs';
import { metrics } from '../lib/registry.mjs';

const ASKED = 200;
const PAGE = 262144;

test('200 requests for history wait until their answers are read, and all are answered in order', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--rate-limit', '0'] });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  for (const i of range(1, 15)) await ann.emit('sendMessage', { room: 'r', message: `${i}`.padEnd(30000, 'x') });

  const raw = await rawConnect(nodes[0]);
  const send = (event, data, ack) => raw.send(TEXT, JSON.stringify({ event, data, ack }));
  await send('login', { userId: 'bob' }, 'in');
  await send('join', { room: 'r' }, 'entered');
  let frame;
  do frame = await raw.json();
  while (frame.ack !== 'entered');
  raw.pause();
  const ask = (i) => encode(TEXT, JSON.stringify({ event: 'history', data: { room: 'r' }, ack: i }));
  await raw.write(Buffer.concat([...range(1, ASKED).map(ask), encode(TEXT, '{"event":"heartbeat","ack":"beat"}')]));

  // What the kernel takes is not known; beyond that, one page over the mark may be queued.
  const queued = async () => (await metrics(nodes[0]))('sluice_queue_bytes');
  let [most, last, still] = [0, 0, 0];
  await until(async () => {
    const now = await queued();
    still = now > 0 && now === last ? still + 1 : 0;
    last = now;
    most = Math.max(most, now);
    return still === 10;
  });
  assert.ok(most <= 2.5 * PAGE, `${most} bytes wait`);

  raw.resume();
  for (let i = 1; i <= ASKED; ) {
    const answer = await raw.json({ timeout: 20000 });
    if (answer.ack === undefined) continue;
    assert.equal(answer.ack, i++);
    assert.equal(answer.data.messages.length, 8, 'as many as 256 KiB hold');
    assert.equal(answer.data.more, true);
    assert.equal(answer.data.messages.at(-1).seq, 15);
  }
  do frame = await raw.json();
  while (frame.ack !== 'beat');
});
