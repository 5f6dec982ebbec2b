// `sluice tail`
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { caller, KEY, keyOf, withKeys } from '../lib/api.mjs';
import { range } from '../lib/frames.mjs';
import { cluster, freePort, login, startNode, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { BINARY } from '../lib/servers.mjs';

const { args, env } = withKeys({ shop: 'publish', eyes: 'read' });
const OWN = ['--event', 'notify:* room =mix open'];
const { redis, nodes: [node] } = await cluster({ nodes: 1, args: [...args, ...OWN], env });
const { good } = caller(node);
const publish = (channel, data, event) => good('POST', '/publish', { channel, event, data });
const fill = async (channel, count) => {
  for (const n of range(1, count)) await publish(channel, n);
};
const key = { SLUICE_API_KEY: KEY };

// A tail that runs: lines() so far, err(), stop() resolves to its exit code.
function tail(t, words, url = node.url) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_')),
  );
  const child = spawn(BINARY, ['tail', ...words, '--url', url], { env: { ...clean, ...key } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  const closed = once(child, 'close').then(([code, signal]) => code ?? signal);
  t.after(() => child.kill('SIGKILL'));
  const lines = () => out.split('\n').slice(0, -1);
  return {
    child, closed, lines,
    err: () => err,
    has: (count) => until(() => lines().length >= count && lines(), { what: `${count} lines: ${err}` }),
    stop(signal = 'SIGINT') {
      child.kill(signal);
      return closed;
    },
  };
}

const dataOf = (line) => JSON.parse(line.split(' ').slice(4).join(' '));

test('the last 10 messages, then each that comes, until SIGINT', async (t) => {
  await fill('topic:ten', 12);
  const it = tail(t, ['topic:ten']);
  assert.deepEqual((await it.has(10)).map(dataOf), range(3, 12));
  for (const n of range(13, 20)) {
    const { seq, timestamp } = await publish('topic:ten', { n }, 'step');
    const lines = await it.has(n - 2);
    const time = new Date(timestamp).toISOString();
    assert.equal(lines.at(-1), `${time} ${seq} step - {"n":${n}}`);
  }
  assert.equal(await it.stop(), 0);
  assert.equal(it.lines().length, 18);
  assert.equal(it.err(), '');
});

test('--from, through more than a page', async (t) => {
  await fill('topic:pages', 230);
  const it = tail(t, ['topic:pages', '--from', '8']);
  assert.deepEqual((await it.has(223)).map(dataOf), range(8, 230));
  await publish('topic:pages', 231);
  assert.equal(dataOf((await it.has(224)).at(-1)), 231);
  assert.equal(await it.stop('SIGTERM'), 0);
  const all = tail(t, ['topic:pages', '--from=0', '--json']);
  assert.deepEqual((await all.has(231)).map((line) => JSON.parse(line).data), range(1, 231));
  assert.equal(await all.stop(), 0);
});

test('a channel that is empty yet, and names of all kinds', async (t) => {
  const names = ['room:caf\u00e9/100%?', 'user:ann_b/\u00e9?'];
  const tails = names.map((name) => tail(t, [name]));
  for (const [i, name] of names.entries()) {
    await publish(name, 'x');
    assert.equal(dataOf((await tails[i].has(1))[0]), 'x');
    assert.equal(await tails[i].stop(), 0);
  }
});

test('events of users have their user; arguments that are several, and controls, stay one line', async (t) => {
  const ann = await login(node, 'ann');
  const it = tail(t, ['room:mix']);
  await good('POST', '/publish', '{"channel":"room:mix","data":{\n"a":\t"\u009b2J\u007f"}}');
  await good('POST', '/publish', { channel: 'room:mix', args: [1, 'two'] });
  await ann.emit('notify:us all', { all: 1 });
  const lines = await it.has(3);
  assert.ok(lines[2].endsWith(' "notify:us all" ann {"all":1}'), lines[2]);
  assert.ok(lines[0].endsWith('message - { "a": "\\u009b2J\\u007f"}'), lines[0]);
  assert.deepEqual(dataOf(lines[0]), { a: '\u009b2J\u007f' });
  assert.ok(lines[1].endsWith(' - [1,"two"]'), lines[1]);
  await it.stop();
  await ann.close();
});

test('it ends when nobody reads its output', async (t) => {
  await fill('topic:gone', 1);
  const it = tail(t, ['topic:gone']);
  await it.has(1);
  it.child.stdout.destroy();
  assert.equal(await it.closed, 0);
  assert.equal(it.err(), '');
  const head = spawn('bash', ['-c', `'${BINARY}' tail topic:gone --url ${node.url} | head -n 1; exit \${PIPESTATUS[0]}`],
    { env: { ...process.env, ...key }, stdio: 'ignore' });
  assert.equal((await once(head, 'close'))[0], 0);
});

test('a node that goes is asked again, one that was never there is not', async (t) => {
  const port = await freePort();
  const never = await runProgram(['tail', 'topic:back', '--url', `http://127.0.0.1:${port}`], { env: key });
  assert.deepEqual([never.code, never.out], [1, '']);
  assert.match(never.err, /^sluice: tail: .*not reached.*\n$/);
  const first = await startNode({ redis, port, args, env });
  const it = tail(t, ['topic:back'], first.url);
  await publish('topic:back', 1);
  await it.has(1);
  await first.stop();
  await until(() => it.err().includes('trying again'));
  await publish('topic:back', 2);
  const again = await startNode({ redis, port, args, env });
  t.after(() => again.stop());
  assert.deepEqual((await it.has(2)).map(dataOf), [1, 2]);
  await publish('topic:back', 3);
  assert.deepEqual((await it.has(3)).map(dataOf), [1, 2, 3]);
  assert.equal(it.err().split('\n').length, 2, it.err());
  assert.equal(await it.stop(), 0);
});

test('a log that was lost goes on in another epoch', async (t) => {
  await fill('topic:lost', 3);
  const it = tail(t, ['topic:lost']);
  await it.has(3);
  const keys = await redis.cli('KEYS', '*topic:lost*');
  for (const name of keys.split('\n')) await redis.cli('DEL', name);
  await publish('topic:lost', 'new');
  const lines = await it.has(4);
  assert.equal(dataOf(lines[3]), 'new');
  assert.match(it.err(), /epoch/);
  await publish('topic:lost', 'newer');
  assert.deepEqual((await it.has(5)).slice(3).map(dataOf), ['new', 'newer']);
  assert.equal(await it.stop(), 0);
});

test('mistakes are named', async () => {
  const cases = [
    [[], 2, 'channel'],
    [['topic:a', 'topic:b'], 2, 'one channel'],
    [['topic:a', '--from', '-1'], 2, '--from'],
    [['topic:a', '--from', 'x'], 2, '--from'],
    [['topic:a'], 2, 'SLUICE_API_KEY', {}],
    [['lobby'], 1, 'refused'],
    [['topic:a'], 1, 'forbidden', { SLUICE_API_KEY: keyOf('shop') }],
    [['topic:a'], 1, 'unauthorized', { SLUICE_API_KEY: keyOf('nobody') }],
  ];
  for (const [words, status, part, own = key] of cases) {
    const { code, out, err } = await runProgram(['tail', ...words.concat('--url', node.url)], { env: own });
    assert.deepEqual([code, out], [status, ''], `${words}: ${err}`);
    assert.match(err, /^sluice: tail: .*\n$/);
    assert.ok(err.includes(part), `says ${part}: ${err}`);
  }
});
