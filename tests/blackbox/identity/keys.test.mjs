// Where keys come from, and which of them a token is checked with.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { connect, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { signer } from '../lib/issuer.mjs';
import { runProgram } from '../lib/program.mjs';
import { SECRET, token } from '../lib/token.mjs';

const redis = await startRedis();
after(() => redis.stop());

let count = 0;
function file(text) {
  const name = path.join(tempDir('keys'), `${++count}`);
  fs.writeFileSync(name, text);
  return name;
}

async function start(t, args, env = {}) {
  const node = await startNode({ redis, args, env });
  t.after(() => node.stop());
  return node;
}

// Resolves to the user whom the token logs in, or to the refusal.
export async function present(node, text) {
  const client = await connect(node);
  try {
    return (await client.emit('login', { token: text })).userId;
  } catch (error) {
    assert.deepEqual([error.code, error.field], ['unauthorized', 'token'], error.message);
    assert.ok(!error.message.includes(text), 'a refusal does not repeat the token');
    return `refused: ${error.message}`;
  } finally {
    await client.close();
  }
}

test('the secret may come from the environment, and is not shown', async (t) => {
  const node = await start(t, [], { SLUICE_JWT_SECRET: SECRET });
  assert.equal(await present(node, token('ann')), 'ann');
  assert.match(await present(node, token('ann', {}, { secret: `${SECRET}.` })), /signature/);
  assert.match(node.log(), /event=authentication_on .*keys=jwt-secret\n/);
  assert.ok(!node.log().includes(SECRET));
  assert.ok(!node.log().includes('authentication_off'));
});

test('a secret from a file ends before the newline; sources add up', async (t) => {
  const other = 'x'.repeat(32);
  const keys = signer('RS256', null);
  const node = await start(t, ['--jwt-secret-file', file(`${SECRET}\n`), '--jwt-keys', file(keys.pem), '--jwt-secret', other]);
  assert.equal(await present(node, token('ann')), 'ann');
  assert.equal(await present(node, token('bob', {}, { secret: other })), 'bob');
  assert.equal(await present(node, keys.token('cem')), 'cem');
  assert.match(await present(node, token('ann', {}, { secret: keys.pem })), /signature/);
});

test('each algorithm, from PEM and from a JWK set, with and without a kid', async (t) => {
  const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];
  const unnamed = algorithms.map((alg) => signer(alg, null));
  const named = algorithms.map((alg) => signer(alg, `key of ${alg}`, { alg, use: 'sig' }));
  const set = { keys: [{ kty: 'oct', k: 'AAAA' }, ...named.map((one) => one.jwk)] };
  const pem = await start(t, ['--jwt-keys', file(unnamed.map((one) => one.pem).join('\n'))]);
  const jwk = await start(t, ['--jwt-keys', file(JSON.stringify(set))]);
  for (const [i] of algorithms.entries()) {
    assert.equal(await present(pem, unnamed[i].token('ann')), 'ann');
    assert.equal(await present(jwk, named[i].token('ann')), 'ann');
    assert.equal(await present(jwk, named[i].token('ann', {}, { header: { kid: undefined } })), 'ann');
    assert.match(await present(jwk, named[i].token('ann', {}, { header: { kid: 'other' } })), /not known/);
    assert.match(await present(pem, named[i].token('ann')), /signature/);
  }
  assert.match(jwk.log(), /event=key_left_out .*why=.*oct/);
});

test('a token without a kid is tried with each key that fits', async (t) => {
  const sets = ['ES256', 'RS256', 'EdDSA'].map((alg) => Array.from({ length: 30 }, (_, i) => signer(alg, `${alg}-${i}`)));
  const all = sets.flat();
  const node = await start(t, ['--jwt-keys', file(JSON.stringify({ keys: all.map(({ jwk }) => jwk) }))]);
  for (const set of sets) {
    for (const key of [set[0], set[17], set.at(-1)]) {
      assert.equal(await present(node, key.token('ann', {}, { header: { kid: undefined } })), 'ann');
    }
  }
});

test('a public key is no secret', async (t) => {
  const keys = signer('RS256', null);
  const node = await start(t, ['--jwt-keys', file(keys.pem)]);
  for (const secret of [keys.pem, keys.pem.trim(), JSON.stringify(keys.jwk), keys.jwk.n])
    assert.match(await present(node, token('ann', {}, { secret })), /alg does not fit/);
  const [head, body] = keys.token('ann').split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  assert.match(await present(node, `${none}.${body}.`), /alg/);
  assert.match(await present(node, `${head}.${body}.`), /signature/);
});

test('keys that are wrong stop start-up', async () => {
  const weak = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 });
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const p384 = signer('ES384', 'p', { alg: 'ES256' });
  const cases = [
    [['--jwt-secret', 'x'.repeat(31)], ['jwt-secret', '32 bytes']],
    [['--jwt-secret', signer('RS256').pem], ['jwt-secret', 'PEM']],
    [['--jwt-secret-file', '/nowhere'], ['jwt-secret-file', '/nowhere', 'No such file']],
    [['--jwt-secret-file', file('x'.repeat(31) + '\n')], ['jwt-secret-file', '32 bytes']],
    [['--jwt-keys', file('')], ['jwt-keys', 'no public key']],
    [['--jwt-keys', file(weak.publicKey.export({ format: 'pem', type: 'spki' }))], ['jwt-keys', '2048']],
    [['--jwt-keys', file(JSON.stringify({ keys: [weak.publicKey.export({ format: 'jwk' })] }))], ['jwt-keys', '2048']],
    [['--jwt-keys', file(privateKey.export({ format: 'pem', type: 'pkcs8' }))], ['jwt-keys', 'private']],
    [['--jwt-keys', file(JSON.stringify(privateKey.export({ format: 'jwk' })))], ['jwt-keys', 'private']],
    [['--jwt-keys', file(JSON.stringify({ keys: [p384.jwk] }))], ['jwt-keys', 'alg']],
    [['--jwt-keys', file('{"keys":[')], ['jwt-keys', 'JSON']],
    [['--jwt-keys', file('{"keys":[]}')], ['jwt-keys', 'no key']],
    [['--jwks-url', 'http://issuer.example/keys'], ['jwks-url', 'https://']],
    [['--jwks-url', 'ftp://127.0.0.1/keys'], ['jwks-url']],
    [['--jwks-url', 'http://127.0.0.1.evil.example/'], ['jwks-url', 'https://']],
    [['--jwks-url', 'http://127.0.0.1@issuer.example/'], ['jwks-url']],
    [['--jwks-url', 'https://127.0.0.1/', '--jwks-ca', '/nowhere'], ['jwks-ca']],
    [['--grants', 'room=*'], ['grants']],
    [['--grants', 'rooms=a;rooms=b'], ['grants', 'rooms']],
    [['--jwt-leeway', '6m'], ['jwt-leeway', '300000']],
  ];
  for (const [args, words] of cases) {
    const result = await runProgram(['--listen', '127.0.0.1:0', ...args], { serves: /event=listening/ });
    assert.ok(!result.late && result.code === 1, `${args}: ${result.all}`);
    for (const word of words) assert.ok(result.err.includes(word), `says ${word}: ${result.err}`);
    if (args[0] === '--jwt-secret') assert.ok(!result.all.includes(args[1]), 'a secret is not shown');
  }
});

test('with a key, a node may listen at any address', async () => {
  const args = ['--listen', '0.0.0.0:0'];
  const without = await runProgram(args, { serves: /event=listening/ });
  assert.ok(!without.late && without.err.includes('authentication is off'), without.all);
  const served = await runProgram(args, { serves: /event=listening/, env: { SLUICE_JWT_SECRET: SECRET } });
  assert.ok(served.late, served.all);
});

test('SIGHUP reads keys again; a bad file changes nothing', async (t) => {
  const secretFile = file(SECRET);
  const keys = [signer('ES256', null), signer('ES256', null)];
  const keyFile = file(keys[0].pem);
  const node = await start(t, ['--jwt-secret-file', secretFile, '--jwt-keys', keyFile]);
  const reload = async (pattern) => {
    const from = node.log().length;
    node.signal('SIGHUP');
    await until(() => pattern.test(node.log().slice(from)), { what: `${pattern}` });
  };
  const other = 'another secret of 32 bytes or more';
  fs.writeFileSync(secretFile, other);
  fs.writeFileSync(keyFile, keys[1].pem);
  assert.equal(await present(node, keys[0].token('ann')), 'ann');
  await reload(/event=reloaded/);
  assert.equal(await present(node, keys[1].token('ann')), 'ann');
  assert.equal(await present(node, token('ann', {}, { secret: other })), 'ann');
  assert.match(await present(node, keys[0].token('ann')), /signature/);
  assert.match(await present(node, token('ann')), /signature/);
  fs.writeFileSync(keyFile, 'nonsense');
  fs.writeFileSync(secretFile, SECRET);
  await reload(/event=reload_failed .*jwt-keys/);
  assert.equal(await present(node, keys[1].token('ann')), 'ann');
  assert.equal(await present(node, token('ann', {}, { secret: other })), 'ann');
  fs.unlinkSync(keyFile);
  await reload(/event=reload_failed .*No such file/);
  assert.equal(await present(node, keys[1].token('ann')), 'ann');
});

test('a reload switches identity neither on nor off', async (t) => {
  const config = file('');
  const node = await start(t, ['--config', config]);
  fs.writeFileSync(config, `jwt-secret = ${SECRET}\n`);
  const from = node.log().length;
  node.signal('SIGHUP');
  await until(() => /event=reload_failed .*restart/.test(node.log().slice(from)), { what: 'refused' });
  const ann = await connect(node);
  assert.equal((await ann.emit('login', { userId: 'ann' })).userId, 'ann');
  await ann.close();
});

test('issuer, audience and leeway are asked for', async (t) => {
  const node = await start(t, ['--jwt-secret', SECRET, '--jwt-issuer', 'https://id.example', '--jwt-audience', 'chat', '--jwt-leeway', '0']);
  const good = { iss: 'https://id.example', aud: ['x', 'chat'] };
  const now = Date.now() / 1000;
  assert.equal(await present(node, token('ann', good)), 'ann');
  assert.match(await present(node, token('ann', { ...good, iss: undefined })), /iss/);
  assert.match(await present(node, token('ann', { ...good, iss: 'https://id.example/' })), /iss/);
  assert.match(await present(node, token('ann', { ...good, aud: 'chats' })), /aud/);
  assert.match(await present(node, token('ann', { ...good, exp: now - 1 })), /exp is past/);
  assert.match(await present(node, token('ann', { ...good, nbf: now + 60 })), /nbf/);
  assert.match(await present(node, token('ann', { ...good, iat: now + 60 })), /iat/);
});
