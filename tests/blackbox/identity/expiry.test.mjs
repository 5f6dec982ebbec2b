// A token ends: the client is told before, may refresh it, and is closed after.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import WebSocket from 'ws';
import { cluster, test } from '../lib/harness.mjs';
import { DOORS, enter, knock, refusal } from '../lib/doors.mjs';
import { allowed, forged, IDENTITY, seconds, token } from '../lib/token.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: [...IDENTITY, '--jwt-leeway', '1s'] });
after(stop);

// Nearly all of their time is that of the tokens, and each has a user of its own.
describe('at once', { concurrency: 20 }, () => {
  for (const [i, door] of DOORS.entries()) {
    test(`${door}: a token that ends closes the connection`, async () => {
      const exp = seconds() + 5;
      const ann = await enter(nodes[i % 2], door, token(`ann-${door}`, { exp }));
      const { expiresIn } = await ann.next('token_expiring', { timeout: 20000 });
      assert.ok(Number.isInteger(expiresIn) && expiresIn <= 500 && expiresIn >= 0, `${expiresIn} ms`);
      const error = await ann.next('error', { timeout: 20000 });
      assert.ok(seconds() >= exp + 1 - 0.05, 'after the leeway');
      assert.deepEqual([error.code, error.field], ['unauthorized', 'token']);
      const end = await ann.closed;
      if (door === 'ws') assert.deepEqual(end, { code: 4401, reason: 'token expired' });
      else assert.equal(end, 'io server disconnect');
      ann.end();
    });

    test(`${door}: a newer token goes on`, async () => {
      const exp = seconds() + 4;
      const ann = await enter(nodes[i % 2], door, token(`bob-${door}`, { exp, iat: seconds() - 4 }));
      await ann.next('token_expiring', { timeout: 20000 });
      const next = seconds() + 8;
      assert.deepEqual(await ann.emit('refresh', { token: token(`bob-${door}`, { exp: next }) }), { expiresAt: Math.floor(next * 1000) });
      await ann.next('token_expiring', { timeout: 20000 });
      assert.ok(seconds() > exp + 1 && seconds() < next + 1, 'before the second one ends');
      assert.equal(ann.came('error').length, 0);
      assert.deepEqual(await ann.emit('unsubscribe', { channel: 'topic:t' }), {});
      ann.end();
    });

    test(`${door}: refresh takes a valid token of the same user only, after a login`, async () => {
      const cat = `cat-${door}`;
      const ann = await knock(nodes[i % 2], door);
      await assert.rejects(ann.emit('refresh', { token: token(cat) }), { code: 'not_logged_in' });
      await ann.emit('login', { token: token(cat) });
      const other = await refusal(ann.emit('refresh', { token: token('dan') }));
      assert.equal(other.code, 'forbidden');
      for (const bad of [undefined, null, 7, '', forged(cat), token(cat, { exp: seconds() - 9 })]) {
        const { code, field } = await refusal(ann.emit('refresh', { token: bad }));
        assert.deepEqual([code, field], ['unauthorized', 'token'], String(bad));
      }
      await redis.cli('SET', `sluice:{user:${cat}}:revoked`, Math.floor(seconds()) - 10);
      const revoked = await refusal(ann.emit('refresh', { token: token(cat, { iat: seconds() - 60 }) }));
      assert.deepEqual([revoked.code, revoked.field, revoked.message], ['unauthorized', 'token', 'revoked']);
      await ann.emit('refresh', { token: token(cat) });
      await redis.cli('DEL', `sluice:{user:${cat}}:revoked`);
      ann.end();
    });
  }

  test('a session of Socket.IO ends with its last namespace, whatever its client does', async () => {
    const path = '/socket.io/?EIO=4&transport=';
    const auth = () => `40${JSON.stringify({ token: token('raw', { exp: seconds() + 3 }) })}`;
    const socket = new WebSocket(`${nodes[0].url.replace('http', 'ws')}${path}websocket`);
    const packets = [];
    const end = new Promise((resolve) => {
      socket.on('message', (data) => {
        packets.push(data.toString());
        if (data.toString()[0] === '0') socket.send(auth());
      });
      socket.on('close', (code, reason) => resolve([code, reason.toString()]));
    });
    const get = async (url) => (await nodes[1].get(url)).body;
    const { sid } = JSON.parse((await get(`${path}polling`)).slice(1));
    const polled = `${path}polling&sid=${sid}`;
    await nodes[1].get(polled, { method: 'POST', body: auth() });
    const polls = [];
    const polling = (async () => {
      for (;;) {
        const response = await nodes[1].get(polled, { timeout: 60000 });
        if (response.status !== 200) return response.status;
        polls.push(...response.body.split('\x1e'));
      }
    })();
    assert.deepEqual(await end, [4401, 'token expired']);
    assert.equal(await polling, 400);
    for (const all of [packets, polls]) {
      const kinds = all.filter((text) => /^4[12]/.test(text)).map((text) => text.match(/^4[12](\["\w+"?)?/)[0]);
      assert.deepEqual(kinds, ['42["token_expiring"', '42["error"', '41']);
    }
  });

  test('who comes late for the notice gets it at once', async () => {
    const ann = await enter(nodes[0], 'ws', token('eve', { iat: seconds() - 1000, exp: seconds() + 20 }));
    const { expiresIn } = await ann.next('token_expiring', { timeout: 3000 });
    assert.ok(expiresIn > 10000 && expiresIn <= 20000, `${expiresIn} ms`);
    assert.equal(ann.came('token_expiring').length, 0, 'once');
    ann.end();
  });

  test('the notice is at most 30 s before the end', async () => {
    const ann = await enter(nodes[1], 'ws', token('fay', { exp: seconds() + 3600 }));
    const bob = await enter(nodes[1], 'ws', token('fay', { iat: seconds() - 3600, exp: seconds() + 33 }));
    const { expiresIn } = await bob.next('token_expiring', { timeout: 20000 });
    assert.ok(expiresIn > 25000 && expiresIn <= 30000, `${expiresIn} ms`);
    assert.equal(ann.came('token_expiring').length, 0);
    for (const client of [ann, bob]) client.end();
  });

  test('a token that lasts for a thousand years is good', async () => {
    const ann = await enter(nodes[0], 'ws', token('old', { exp: 32503680000 }));
    assert.deepEqual(await ann.emit('refresh', { token: token('old', { exp: 32503680000 }) }), { expiresAt: 32503680000000 });
    ann.end();
  });
});

for (const [i, door] of DOORS.entries()) {
  test(`${door}: the rights of a newer token count at once`, async () => {
    const user = `nar-${door}`;
    const all = allowed(user, { rooms: ['a', 'b'], subscribe: ['t', 'u'] });
    const ann = await enter(nodes[i % 2], door, all);
    const device = await enter(nodes[1 - (i % 2)], 'ws', all);
    for (const client of [ann, device]) {
      for (const room of ['b', 'a']) await client.emit('join', { room });
      for (const channel of ['topic:t', 'topic:u']) await client.emit('subscribe', { channel });
    }
    await ann.emit('refresh', { token: allowed(user, { rooms: ['b', 'lobby'], subscribe: ['u'], publish: ['*'] }) });
    const gone = [await ann.next('revoked'), await ann.next('revoked')].map(({ channel }) => channel);
    assert.deepEqual(gone.sort(), ['room:a', 'topic:t']);
    await assert.rejects(ann.emit('sendMessage', { room: 'a', message: 1 }), { code: 'forbidden', field: 'room' });
    // The default room was a, and is lobby again: it may be used, but the user is no member.
    await assert.rejects(ann.emit('sendMessage', 'x'), { code: 'not_a_member' });
    assert.equal(await redis.cli('SISMEMBER', `sluice:{user:${user}}:rooms`, 'a'), '1', 'the membership stays');
    await device.emit('sendMessage', { room: 'a', message: 'not for all' });
    await ann.emit('publish', { channel: 'topic:t', data: 'not for me' });
    await ann.emit('publish', { channel: 'topic:u', data: 'for me' });
    await ann.emit('sendMessage', { room: 'b', message: 'for all' });
    assert.equal(await ann.next('message'), 'for me');
    assert.equal((await ann.next('chatMessage')).message, 'for all');
    assert.equal((await device.next('chatMessage')).message, 'not for all');
    assert.deepEqual(ann.came('chatMessage').concat(ann.came('message')), []);

    await ann.emit('refresh', { token: allowed(user, { rooms: ['b'] }) });
    await assert.rejects(ann.emit('sendMessage', 'x'), { code: 'forbidden', field: 'room' }, 'not in lobby either');
    await ann.emit('refresh', { token: all });
    await ann.emit('sendMessage', { room: 'a', message: 'the membership has stayed' });
    assert.equal((await device.next('chatMessage', { match: ({ data }) => /stayed/.test(data.message) })).room, 'a');
    for (const client of [ann, device]) client.end();
  });
}
