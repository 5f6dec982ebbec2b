// sluice.js on two nodes, all of them well: every event, refusals, the end.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { cluster, ROOT, test, until } from '../lib/harness.mjs';
import { roam } from '../lib/roaming.mjs';
import { Sluice, SluiceError } from '../../../gateway/web/sluice.js';

const { nodes } = await cluster({ nodes: 2, args: ['--drain', '100ms'] });

const refusal = (code, field) => (error) => {
  assert.ok(error instanceof SluiceError && error instanceof Error);
  assert.equal(error.code, code);
  if (field) assert.equal(error.field, field);
  return true;
};

test('every event of the protocol', async (t) => {
  const ann = await roam(t, { userId: 'ann', csId: 9, username: 'Ann' }, nodes[0]);
  const bob = await roam(t, { userId: 'bob', csId: 9 }, nodes[1]);
  assert.deepEqual([ann.sluice.node, ann.sluice.userId], [nodes[0].id, 'ann']);
  const seen = {};
  for (const event of ['typing', 'message_read', 'message', 'myUsersList', 'update_member_list'])
    bob.sluice.on(event, (data, meta) => (seen[event] = { data, meta }));

  const said = await ann.sluice.emit('sendMessage', 'to the room of csId');
  assert.equal(said.seq, 1);
  await until(() => bob.heard.includes('to the room of csId'));
  const read = await bob.sluice.emit('history', { room: 'room-9' });
  assert.deepEqual(
    read.messages.map(({ seq }) => seq),
    [1],
  );
  assert.deepEqual(await ann.sluice.emit('typing'), {});
  await until(() => seen.typing);
  assert.deepEqual(seen.typing.data, { userId: 'ann', room: 'room-9' });
  assert.equal(seen.typing.meta.seq, 0);

  const ack = await bob.sluice.emit('private_message', { receiverId: 'ann', content: { a: [1] } });
  assert.equal(ack.delivered, true);
  await until(() => ann.heard.length === 2);
  assert.deepEqual(ann.heard[1], { a: [1] });
  assert.deepEqual(bob.sluice.positions['user:bob'], ack.resume['user:bob']);
  const unread = await ann.sluice.emit('all_member');
  assert.deepEqual(unread.map(({ id, message_count: n }) => [id, n]).sort(), [
    ['ann', 0],
    ['bob', 1],
  ]);
  await ann.sluice.emit('read', { peer: 'bob', seq: 1 });
  await until(() => seen.message_read);

  const { epoch } = await bob.sluice.emit('subscribe', { channel: 'topic:t' });
  const price = await ann.sluice.emit('publish', { channel: 'topic:t', data: { price: 3 } });
  await until(() => seen.message);
  assert.deepEqual(seen.message.data, { price: 3 });
  assert.deepEqual([seen.message.meta.epoch, seen.message.meta.seq], [epoch, price.seq]);
  await bob.sluice.emit('unsubscribe', { channel: 'topic:t' });
  await bob.sluice.emit('leave', { room: 'room-9' });
  assert.deepEqual(Object.keys(bob.sluice.positions), ['user:bob']);
  await assert.rejects(bob.sluice.emit('sendMessage', { room: 'room-9', message: 'x' }), {
    code: 'not_a_member',
  });
});

test('refusals keep their code and field, and stop nothing behind them', async (t) => {
  const { sluice } = await roam(t, 'cat', nodes[0]);
  await sluice.emit('join', { room: 'c' });
  const all = await Promise.allSettled([
    sluice.emit('sendMessage', { room: 'c' }),
    sluice.emit('private_message', { receiverId: 'a b', content: 'x' }),
    sluice.emit('subscribe', { channel: 'room:c' }),
    sluice.emit('sendMessage', { room: 'elsewhere', message: 'x' }),
    sluice.emit('no such event'),
    sluice.emit('sendMessage', { room: 'c', message: 'good' }),
  ]);
  const codes = all.map(({ reason, value }) => reason?.code ?? value.seq);
  const expected = ['missing_field', 'bad_field', 'forbidden', 'not_a_member', 'unknown_event', 1];
  assert.deepEqual(codes, expected);
  assert.deepEqual([all[0].reason.field, all[1].reason.field], ['message', 'receiverId']);
});

test('a login that is refused is the end', async (t) => {
  const sluice = new Sluice(`${nodes[0].url}/ws`, { userId: 'a b' }, { WebSocket });
  t.after(() => sluice.close(0));
  const kept = sluice.emit('sendMessage', 'x');
  await assert.rejects(sluice.ready(), refusal('bad_field', 'userId'));
  await assert.rejects(kept, refusal('bad_field', 'userId'));
  assert.equal(sluice.state, 'closed');
});

test('a repeat with the same clientMessageId is one message', async (t) => {
  const { sluice, heard } = await roam(t, 'dan', nodes[1]);
  await sluice.emit('join', { room: 'd' });
  const data = { room: 'd', message: 'once', clientMessageId: 'mine' };
  const [first, second] = [
    await sluice.emit('sendMessage', data),
    await sluice.emit('sendMessage', data),
  ];
  assert.deepEqual(first, second);
  await sluice.emit('sendMessage', { room: 'd', message: 'last' });
  await until(() => heard.includes('last'));
  assert.deepEqual(heard, ['once', 'last']);
});

test('lone surrogates and large numbers of bytes a character arrive as they left', async (t) => {
  const eve = await roam(t, 'eve', nodes[0], { chunk: 2000 });
  await eve.sluice.emit('join', { room: 'e' });
  const texts = [
    '\ud800 alone',
    '😀'.repeat(3000),
    '\u0001"\\'.repeat(3000),
    '\udc00\ud800'.repeat(900),
  ];
  for (const message of texts) await eve.sluice.emit('sendMessage', { room: 'e', message });
  await until(() => eve.heard.length === texts.length);
  assert.deepEqual(eve.heard, texts);
});

test('closed, it leaves nothing that keeps a process alive', async () => {
  const script = `
    import { WebSocket } from 'ws';
    import { Sluice } from ${JSON.stringify(`${ROOT}/gateway/web/sluice.js`)};
    const sluice = new Sluice('${nodes[0].url}/ws', { userId: 'zoe' }, { WebSocket });
    await sluice.emit('join', { room: 'z' });
    const last = sluice.emit('sendMessage', 'bye');
    await sluice.close();
    console.log((await last).seq, sluice.state);
  `;
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const output = await new Promise((resolve, reject) => {
    const args = ['--input-type=module', '-e', script];
    execFile(process.execPath, args, { cwd, timeout: 30000 }, (error, stdout, stderr) =>
      error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout),
    );
  });
  assert.equal(output, '1 closed\n');
});
