// Without a key identity is off: tokens mean nothing, and clients say who they are.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, test } from '../lib/harness.mjs';
import { DOORS, knock } from '../lib/doors.mjs';
import { allowed, forged } from '../lib/token.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2 });
after(stop);

for (const [i, door] of DOORS.entries()) {
  test(`${door}: a token is passed over`, async () => {
    const ann = await knock(nodes[i % 2], door, { auth: { token: allowed('bob', { rooms: [] }) } });
    await assert.rejects(ann.emit('login', { token: allowed('bob', {}) }), { code: 'missing_field', field: 'userId' });
    await assert.rejects(ann.emit('refresh', { token: allowed('bob', {}) }), { code: 'not_logged_in' });
    await redis.cli('SET', `sluice:{user:off-${door}}:revoked`, 32503680000);
    const who = { userId: `off-${door}`, username: 'Ann', role: 'agent' };
    await ann.emit('login', { ...who, token: forged('bob'), room: 'r' });
    const profile = await redis.cli('HMGET', `sluice:{user:off-${door}}:profile`, 'username', 'role');
    assert.equal(profile, 'Ann\nagent');
    await ann.emit('publish', { channel: 'topic:t', data: 1 });
    await ann.emit('login', { userId: `off-${door}`, token: allowed(`off-${door}`, { rooms: [] }) });
    await ann.emit('sendMessage', { room: 'r', message: 1 });
    await assert.rejects(ann.emit('login', { userId: 'other' }), { code: 'already_logged_in', field: 'userId' });
    await assert.rejects(ann.emit('refresh', { token: allowed('x', {}) }), { code: 'unknown_event', field: 'event' });
    assert.deepEqual(ann.came('token_expiring'), []);
    ann.end();
  });
}
