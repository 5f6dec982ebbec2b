// A peer that answers no WebSocket ping is cut and goes offline, whatever else trickles in.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

test('no pong: cut and announced; pongs keep a silent client', async (t) => {
  const args = ['--ping-interval', '300ms', '--ping-timeout', '500ms'];
  const { nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const eve = await connect(nodes[1], { autoPong: false });
  await eve.emit('login', { userId: 'eve' });
  for (const client of [ann, eve]) await client.emit('join', { room: 'r' });
  await ann.next('user_offline', ofUser('eve', { timeout: 10000 }));
  await eve.closed;
  assert.ok(ann.isOpen);
});

test('bytes of a frame that does not end are no pong, on /ws and raw', async (t) => {
  const args = ['--ping-interval', '300ms', '--ping-timeout', '500ms', '--channels', 'chat:rw'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  for (const path of ['/ws', '/channels/chat']) {
    const client = await raw.dial(nodes[0]);
    await client.write(raw.handshake({ path }));
    assert.equal((await client.response()).status, 101);
    await client.write(raw.encode(raw.TEXT, 'x'.repeat(10000)).subarray(0, 200));
    const trickle = async () => {
      if (!client.ended && !client.closed) await client.write('x');
      return client.ended || client.closed;
    };
    await until(trickle, { timeout: 20000, every: 50, what: `${path}: it is cut` });
  }
});

test('a client that pings, and answers pings, stays', async (t) => {
  const args = ['--ping-interval', '300ms', '--ping-timeout', '2s'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const client = await raw.rawConnect(nodes[0]);
  for (let answered = 0; answered < 4; ) {
    const { opcode, payload } = await client.frame();
    if (opcode !== raw.PING) continue;
    await client.send(raw.PONG, payload);
    answered++;
  }
  await client.send(raw.TEXT, raw.beat(1));
  assert.deepEqual(await client.json(), { ack: 1, data: {} });
  client.destroy();
});
