// The token of a handshake: from where it is taken, when it is refused, and what it is not.
import assert from 'node:assert/strict';
import { cluster, connect, startNode, test, until } from '../lib/harness.mjs';
import { metric } from '../lib/registry.mjs';
import { forged, IDENTITY, seconds, token } from '../lib/token.mjs';

const { redis, nodes } = await cluster({
  nodes: 2,
  args: [...IDENTITY, '--channels', 'events,chat:rw', '--grants', 'rooms=*;channels=*'],
});

const header = (value) => ({ headers: { authorization: value } });
const bearer = (text) => header(`Bearer ${text}`);
const PATHS = ['/ws', '/channels/events'];

// Resolves to the status of the handshake; an open connection is closed again.
async function status(path, options, node = nodes[0]) {
  try {
    const client = await connect(node, { path, ...options });
    await client.close();
    return 101;
  } catch (error) {
    if (!error.status) throw error;
    if (error.status === 401) assert.equal(error.headers['www-authenticate'], 'Bearer');
    assert.ok(!error.body.includes('eyJ'), 'no token is repeated');
    return error.status;
  }
}

for (const path of PATHS) {
  test(`${path}: a good token, in each way`, async () => {
    const good = token('ann');
    for (const [i, options] of [
      bearer(good),
      header(`bearer   ${good}`),
      { protocols: ['sluice', `bearer.${good}`] },
      { protocols: [`bearer.${good}`, 'sluice'] },
      { protocols: ['chat', 'sluice', `bearer.${good}`] },
      { protocols: ['sluice', `bearer.${good}`], ...header('Basic YTpi') },
    ].entries()) {
      const client = await connect(nodes[i % 2], { path, ...options });
      const agreed = options.protocols ? 'sluice' : '';
      assert.equal(client.socket.protocol, agreed, JSON.stringify(options.protocols));
      await client.close();
    }
  });

  test(`${path}: a bad token is 401`, async () => {
    const now = seconds();
    for (const bad of [
      forged('ann'),
      token('ann', {}, { secret: 'another secret that is 32 bytes long' }),
      token('ann', { exp: now - 60 }),
      token('ann', { exp: undefined }),
      token('ann', { nbf: now + 3600 }),
      token('a b'),
      token(undefined),
      token('ann', { sluice: { rooms: 'all' } }),
      'x',
      'a.b.c',
      `${token('ann')}x`,
    ]) {
      assert.equal(await status(path, bearer(bad)), 401, bad);
      assert.equal(await status(path, { protocols: ['sluice', `bearer.${bad}`] }), 401, bad);
    }
    assert.equal(await status(path, header('Bearer')), 401);
    assert.equal(await status(path, header('Bearer  ')), 401);
    assert.equal(await status(path, { protocols: ['sluice', 'bearer.'] }), 401);
  });

  test(`${path}: it must be clear which token counts, else 400`, async () => {
    const [one, two] = [token('ann'), token('ann')];
    for (const options of [
      { protocols: [`bearer.${one}`] },
      { protocols: [`bearer.${one}`, 'chat'] },
      { protocols: ['sluice', `bearer.${one}`, `bearer.${two}x`] },
      { protocols: ['sluice', `bearer.${one}`], ...bearer(two) },
      { protocols: ['sluice', `bearer.${one}`], ...bearer(one) },
      { protocols: ['sluice', 'bearer.x'], ...bearer(one) },
    ]) {
      assert.equal(await status(path, options), 400, JSON.stringify(options));
    }
  });

  test(`${path}: never the query string`, async () => {
    const good = token('ann');
    const without = await status(path, {});
    for (const name of ['token', 'access_token', 'authorization', 'bearer', 'jwt']) {
      assert.equal(await status(`${path}?${name}=${good}`, {}), without);
    }
    assert.equal(await status(`${path}?token=x`, bearer(good)), 101);
  });
}

test('without a token: /ws opens, a raw channel does not', async () => {
  for (const options of [
    {},
    header(''),
    header('Basic YTpi'),
    header(`Token ${token('ann')}`),
    header(token('ann')),
    header(`Bearer${token('ann')}`),
    { protocols: ['sluice'] },
  ]) {
    assert.equal(await status('/ws', options), 101, JSON.stringify(options));
    assert.equal(await status('/channels/events', options), 401, JSON.stringify(options));
    assert.equal(await status('/channels/nothing', options), 401, JSON.stringify(options));
  }
  const client = await connect(nodes[0], { protocols: ['sluice'] });
  assert.equal(client.socket.protocol, 'sluice');
  await client.close();
});

test('a token at the handshake is no login', async () => {
  const client = await connect(nodes[0], bearer(token('quiet')));
  await assert.rejects(client.emit('sendMessage', { message: 'x' }), { code: 'not_logged_in' });
  assert.equal(await redis.cli('ZSCORE', 'sluice:online', 'quiet'), '');
  await client.close();
});

test('the form of the handshake comes first', async () => {
  for (const path of [...PATHS, '/channels/nothing']) {
    const { status: code } = await nodes[0].get(path);
    assert.equal(code, 426, path);
  }
});

test('refusals and openings are counted once each', async () => {
  for (const [path, door] of [
    ['/ws', 'json'],
    ['/channels/events', 'raw'],
  ]) {
    const count = (result) =>
      metric(nodes[1], 'sluice_handshakes_total', { door, result });
    const [open, refused] = [await count('accepted'), await count('refused')];
    for (let i = 0; i < 3; i++) assert.equal(await status(path, bearer('x'), nodes[1]), 401);
    assert.equal(await status(path, bearer(token('ann')), nodes[1]), 101);
    await until(async () => (await count('accepted')) === open + 1);
    assert.equal(await count('refused'), refused + 3);
  }
});

test('no log repeats a token', async () => {
  const bad = `${token('secretive')}x`;
  assert.equal(await status('/ws', bearer(bad)), 401);
  await until(() => nodes[0].log().includes('handshake_refused'));
  assert.ok(!nodes[0].log().includes('eyJ'));
});

test('with identity off a token is not looked at', async (t) => {
  const plain = await startNode({ redis, args: ['--channels', 'events'] });
  t.after(() => plain.stop());
  for (const path of PATHS) {
    for (const options of [bearer('x'), bearer(token('ann')), { protocols: ['sluice', 'bearer.x'] }]) {
      assert.equal(await status(path, options, plain), 101);
    }
  }
  assert.equal(await status('/channels/nothing', bearer('x'), plain), 404);
});
