// `sluice token`
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, connect, tempDir, test } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { IDENTITY, SECRET } from '../lib/token.mjs';

const env = { SLUICE_JWT_SECRET: SECRET };
const run = (args, options = { env }) => runProgram(['token', ...args], options);
const claims = (text) => JSON.parse(Buffer.from(text.split('.')[1], 'base64url'));

async function refused(args, words, options) {
  const { status = 2, ...more } = options ?? {};
  const { code, out, err } = await run(args, { env, ...more });
  assert.deepEqual([code, out], [status, ''], `${args}: ${err}`);
  assert.match(err, /^sluice: .*\n$/);
  for (const word of words) assert.ok(err.includes(word), `says ${word}: ${err}`);
}

test('it prints a token, and nothing else, that nodes accept', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2, args: IDENTITY });
  t.after(stop);
  const { code, out, err } = await run(['--user', '42', '--ttl', '1h', '--claims', '{"username":"Ann","sluice":{"rooms":["a*"]}}']);
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const said = claims(out);
  assert.equal(said.exp - said.iat, 3600);
  assert.ok(Math.abs(said.iat - Date.now() / 1000) < 60);
  assert.deepEqual([said.sub, said.username, said.sluice], ['42', 'Ann', { rooms: ['a*'] }]);
  assert.equal(JSON.parse(Buffer.from(out.split('.')[0], 'base64url')).alg, 'HS256');
  for (const node of nodes) {
    const client = await connect(node);
    assert.equal((await client.emit('login', { token: out.trim() })).userId, '42');
    await client.emit('join', { room: 'a1' });
    await assert.rejects(client.emit('join', { room: 'b' }), { code: 'forbidden' });
    await client.close();
  }
});

test('the secret comes from where that of a node comes', async () => {
  const dir = tempDir('token');
  const secretFile = path.join(dir, 'secret');
  const config = path.join(dir, 'sluice.conf');
  fs.writeFileSync(secretFile, `${SECRET}\n`);
  fs.writeFileSync(config, `jwt-secret-file = ${secretFile}\njwt-issuer = me\njwt-audience = chat\n`);
  const ways = [
    [['--config', config], {}],
    [['--config', config], { SLUICE_JWT_AUDIENCE: 'other' }],
    [[], { SLUICE_CONFIG: config }],
  ];
  for (const [args, more] of ways) {
    const { code, out, err } = await run(['--user', 'ann', ...args], { env: more });
    assert.equal(code, 0, err);
    assert.deepEqual([claims(out).iss, claims(out).aud], ['me', more.SLUICE_JWT_AUDIENCE ?? 'chat']);
  }
  const own = await run(['--user=ann', '--claims={"aud":["chat","x"],"iat":5,"exact":9007199254740993}', `--config=${config}`], { env: {} });
  assert.deepEqual([claims(own.out).aud, claims(own.out).iat], [['chat', 'x'], 5]);
  assert.ok(Buffer.from(own.out.split('.')[1], 'base64url').includes('9007199254740993'));
});

test('--json has the claims, too', async () => {
  const { code, out } = await run(['--user', 'a"b', '--json', '--claims', '{"role":"é"}']);
  assert.equal(code, 0);
  assert.match(out, /^\{.*\}\n$/);
  const said = JSON.parse(out);
  assert.deepEqual(Object.keys(said), ['token', 'claims']);
  assert.deepEqual(said.claims, claims(said.token));
  assert.deepEqual([said.claims.sub, said.claims.role], ['a"b', 'é']);
});

test('--help', async () => {
  const { code, out } = await run(['--help'], {});
  assert.equal(code, 0);
  for (const word of ['--user', '--ttl', '--claims', 'SLUICE_JWT_SECRET']) assert.ok(out.includes(word), word);
  assert.match((await runProgram(['--help'])).out, /^  token +\S/m);
});

test('mistakes are named', async () => {
  await refused(['--user', '42'], ['no secret'], { env: {} });
  await refused(['--user', '42'], ['SLUICE_JWT_SECRET', '32 bytes'], { env: { SLUICE_JWT_SECRET: 'short' } });
  await refused([], ['--user']);
  await refused(['--user'], ['--user', 'value']);
  await refused(['--user', 'a', '--user', 'b'], ['--user', 'twice']);
  await refused(['--user', 'a b'], ['user id'], { status: 1 });
  await refused(['--user', ''], ['user id'], { status: 1 });
  for (const ttl of ['0', '-1h', '10', 'soon', '999ms', '3651d', '1h1m', '99999999999999999999d'])
    await refused(['--user', 'a', '--ttl', ttl], ['--ttl']);
  for (const text of ['', '[]', 'null', '{', '{"a":1,}', 'x']) await refused(['--user', 'a', '--claims', text], ['--claims', 'object']);
  await refused(['--user', 'a', '--claims', '{"sub":"b"}'], ['sub', '--user']);
  await refused(['--user', 'a', '--claims', '{"exp":1}'], ['exp', '--ttl']);
  await refused(['--user', 'a', '--claims', '{"a":1,"a":2}'], ['twice']);
  await refused(['--user', 'a', '--claims', '{"sluice":{"rooms":"*"}}'], ['rooms'], { status: 1 });
  await refused(['--user', 'a', '--claims', JSON.stringify({ a: 'x'.repeat(8192) })], ['8 KiB'], { status: 1 });
  await refused(['--user', 'a', '--health-check'], ['--health-check']);
  await refused(['--user', 'a', '--nonsense'], ['--nonsense']);
  await refused(['--user', 'a', 'stray'], ['stray']);
});
