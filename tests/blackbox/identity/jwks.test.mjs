// Keys from an issuer's JWK set, by https.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { connect, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { certificate, issuer, signer } from '../lib/issuer.mjs';
import { metrics } from '../lib/registry.mjs';
import { IDENTITY, token } from '../lib/token.mjs';

const redis = await startRedis();
after(() => redis.stop());

// An issuer and a node that fetches from it.
async function begin(t, options, args = []) {
  const from = await issuer(options);
  const node = await startNode({ redis, args: [...from.args, ...args] });
  t.after(async () => {
    await node.stop();
    await from.stop();
  });
  return { from, node };
}

async function present(node, text) {
  const client = await connect(node);
  try {
    return (await client.emit('login', { token: text })).userId;
  } catch (error) {
    assert.equal(error.code, 'unauthorized', error.message);
    return `refused: ${error.message}`;
  } finally {
    await client.close();
  }
}

const failures = async (node) => (await metrics(node))('sluice_jwks_failures_total');
const logged = (node, pattern) => until(() => pattern.test(node.log()), { what: `${pattern}`, timeout: 20000 });

test('the set is fetched once at the start; a rotation is found by its kid', async (t) => {
  const [one, two, three] = ['one', 'two', 'three'].map((kid) => signer('ES256', kid));
  const { from, node } = await begin(t, { signers: [one] });
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((id) => present(node, one.token(id)))), ['a', 'b', 'c']);
  assert.equal(from.requests, 1);
  from.signers = [two, one];
  const ids = Array.from({ length: 20 }, (_, i) => `u${i}`);
  assert.deepEqual(await Promise.all(ids.map((id) => present(node, two.token(id)))), ids);
  assert.equal(from.requests, 2, 'one fetch for all that wait');
  assert.equal(await present(node, one.token('ann')), 'ann');
  from.signers = [three];
  for (let i = 0; i < 5; i++) assert.match(await present(node, three.token('ann')), /not known/);
  assert.equal(from.requests, 2, 'no second one for an unknown kid within 30 s');
  assert.equal(await present(node, two.token('ann')), 'ann');
  assert.match(node.log(), /event=authentication_on .*keys=jwks-url\n/);
});

test('a token waits for the first set, while others go on', async (t) => {
  const one = signer('RS256');
  let held;
  const from = await issuer({ signers: [one] });
  from.answer = (request, response) => {
    held = response;
  };
  const node = await startNode({ redis, args: [...from.args, ...IDENTITY] });
  t.after(async () => {
    await node.stop();
    await from.stop();
  });
  await until(() => held, { what: 'the node asks' });
  let done = false;
  const waits = present(node, one.token('ann')).finally(() => (done = true));
  const bob = await connect(node);
  await bob.emit('login', { token: token('bob') }); // by the secret, which is there
  for (let i = 0; i < 50; i++) {
    const began = Date.now();
    await bob.emit('heartbeat', {});
    assert.ok(Date.now() - began < 1000, 'a slow issuer does not stall anybody');
  }
  await bob.close();
  assert.ok(!done);
  held.end(JSON.stringify({ keys: [one.jwk] }));
  assert.equal(await waits, 'ann');
  assert.equal(from.requests, 1);
});

test('an issuer that does not answer is waited for 5 s at most', async (t) => {
  const one = signer();
  const from = await issuer({ signers: [one] });
  from.answer = () => {};
  const node = await startNode({ redis, args: from.args });
  t.after(async () => {
    await node.stop();
    await from.stop();
  });
  await until(() => from.requests === 1, { what: 'the node asks' });
  const began = Date.now();
  assert.match(await present(node, one.token('ann')), /could not be fetched/);
  const took = Date.now() - began;
  assert.ok(took > 4000 && took < 9000, `${took} ms`);
});

test('an outage keeps the set', async (t) => {
  const [one, two] = [signer('ES256', 'one'), signer('ES256', 'two')];
  const { from, node } = await begin(t, { signers: [one] });
  assert.equal(await present(node, one.token('ann')), 'ann');
  from.answer = (request, response) => {
    response.statusCode = 500;
    response.end(JSON.stringify({ keys: [two.jwk] }));
  };
  assert.match(await present(node, two.token('ann')), /not known/);
  assert.equal(from.requests, 2);
  assert.equal(await present(node, one.token('ann')), 'ann');
  assert.equal(await failures(node), 1);
  await logged(node, /event=jwks_failed .*500/);
});

test('a node starts without its issuer, and asks again', async (t) => {
  const one = signer();
  const { from, node } = await begin(t, { signers: [one] });
  assert.equal(await present(node, one.token('ann')), 'ann');
  await node.stop();
  const tls = certificate();
  const late = await issuer({ signers: [one], tls });
  late.answer = (request, response) => response.destroy();
  const second = await startNode({ redis, args: late.args });
  t.after(async () => {
    await second.stop();
    await late.stop();
  });
  await until(() => late.requests >= 2, { what: 'it asks again', timeout: 20000 });
  late.answer = null;
  assert.equal(await present(second, one.token('ann')), 'ann');
  assert.equal(from.requests, 1);
});

const bad = {
  'a redirect': (from, set) => (request, response) => {
    if (request.url === '/elsewhere') return response.end(set);
    response.writeHead(302, { Location: '/elsewhere' });
    return response.end(set);
  },
  'more than 256 KiB': (from, set) => (request, response) => response.end(set + ' '.repeat(262145 - set.length)),
  'more than 256 KiB, in pieces': (from, set) => (request, response) => {
    response.write(set);
    const piece = ' '.repeat(65536);
    const more = () => {
      if (response.destroyed) return;
      response.write(piece);
      setImmediate(more);
    };
    more();
  },
  'no JSON': () => (request, response) => response.end('<html>'),
  'a member twice': (from, set) => (request, response) => response.end(`{"keys":[],${set.slice(1)}`),
  'no list': () => (request, response) => response.end('{"keys":{}}'),
  'another status': (from, set) => (request, response) => {
    response.statusCode = 404;
    response.end(set);
  },
  'compressed': (from, set) => (request, response) => {
    assert.equal(request.headers['accept-encoding'], undefined);
    response.setHeader('Content-Encoding', 'gzip');
    response.end(Buffer.from('1f8b0800000000000003', 'hex'));
  },
};
for (const [name, make] of Object.entries(bad)) {
  test(`an answer that is refused: ${name}`, async (t) => {
    const one = signer();
    const { from, node } = await begin(t, { signers: [] });
    await logged(node, /event=jwks_changed/);
    const set = JSON.stringify({ keys: [one.jwk] });
    from.answer = make(from, set);
    assert.match(await present(node, one.token('ann')), /not known/);
    await logged(node, /event=jwks_failed/);
    assert.equal(await failures(node), 1);
    assert.equal(from.requests, 2);
  });
}

test('256 KiB are taken', async (t) => {
  const one = signer();
  const from = await issuer({ signers: [one] });
  const set = JSON.stringify({ keys: [one.jwk] });
  from.answer = (request, response) => response.end(set + ' '.repeat(262144 - set.length));
  const node = await startNode({ redis, args: from.args });
  t.after(async () => {
    await node.stop();
    await from.stop();
  });
  assert.equal(await present(node, one.token('ann')), 'ann');
});

test('the certificate must be of the host, in date, and of a known authority', async (t) => {
  const one = signer();
  const certificates = {
    'another host': certificate(['DNS:issuer.example']),
    'out of date': certificate(undefined, { days: -1 }),
    'another authority': { ...certificate(), caFile: certificate().caFile },
  };
  for (const [name, tls] of Object.entries(certificates)) {
    const from = await issuer({ signers: [one], tls });
    const node = await startNode({ redis, args: from.args });
    t.after(async () => {
      await node.stop();
      await from.stop();
    });
    await logged(node, /event=jwks_failed/);
    assert.equal(from.requests, 0, name);
  }
});

test('http is for loopback; secrets of a set do not count', async (t) => {
  const one = signer('ES256', 'one');
  const k = Buffer.from('a secret that everybody can read').toString('base64url');
  const { from, node } = await begin(t, {
    plain: true,
    signers: [one, { jwk: { kty: 'oct', k, kid: 'secret' } }, signer('RS256', 'enc', { use: 'enc' }),
      { jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'weak' } }],
  });
  assert.equal(await present(node, one.token('ann')), 'ann');
  assert.match(await present(node, token('ann', {}, { secret: 'a secret that everybody can read', header: { kid: 'secret' } })), /refused/);
  assert.match(await present(node, from.signers[2].token('ann')), /not known/);
  assert.match(node.log(), /event=key_left_out .*kid=secret/);
  assert.match(node.log(), /event=key_left_out .*kid=weak/);
});

test('a node ends at once while it fetches, or while a token waits', async (t) => {
  const one = signer();
  const from = await issuer({ signers: [one] });
  from.answer = () => {};
  const node = await startNode({ redis, args: [...from.args, '--drain', '0'] });
  t.after(() => from.stop());
  await until(() => from.requests === 1, { what: 'the node asks' });
  const ann = await connect(node);
  const answer = ann.emit('login', { token: one.token('ann') }).catch(() => 'gone');
  await node.stop();
  assert.equal(await answer, 'gone');
});
