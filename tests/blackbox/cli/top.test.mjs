// `sluice top`
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { KEY, keyOf, withKeys } from '../lib/api.mjs';
import { cluster, findProgram, freePort, login, startNode, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { BINARY } from '../lib/servers.mjs';

const { args, env } = withKeys({ shop: 'publish', eyes: 'read' });
const FAST = ['--lease-interval', '200ms'];
const { redis, nodes } = await cluster({ nodes: 2, args: [...args, ...FAST], env });
const [node] = nodes;
const run = (words, own = { SLUICE_API_KEY: keyOf('eyes') }) => runProgram(['top', ...words], { env: own });

// The rows of the table of nodes, by their first word.
function rows(table) {
  const lines = table.split('\n');
  const at = lines.findIndex((line) => line.startsWith('NODE '));
  const names = lines[at].split(/ +/);
  const rest = lines.slice(at + 1).filter(Boolean);
  return Object.fromEntries(
    rest.map((line) => [line.split(' ')[0], Object.fromEntries(line.split(/ +/).map((cell, i) => [names[i], cell]))]),
  );
}

function begin(t, command, words, own = {}) {
  const child = spawn(command, words, { env: { ...process.env, SLUICE_API_KEY: KEY, ...own } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  const closed = once(child, 'close').then(([code, signal]) => code ?? signal);
  t.after(() => child.kill('SIGKILL'));
  return { child, closed, out: () => out, err: () => err };
}

test('--once: a row for each node, the sum, and Redis', async (t) => {
  const all = await Promise.all(['ann', 'bob', 'cat'].map((name, i) => login(nodes[i % 2], name)));
  const table = await until(async () => {
    const { code, out, err } = await run(['--once', '--url', node.url]);
    assert.deepEqual([code, err], [0, '']);
    return rows(out)[nodes[1].id].CONNECTIONS === '1' && rows(out)[node.id].USERS === '2' && out;
  });
  const found = rows(table);
  assert.deepEqual(Object.keys(found), [...nodes.map(({ id }) => id), 'all']);
  for (const [i, { id, port }] of nodes.entries()) {
    const row = found[id];
    assert.deepEqual([row.STATE, row.USERS], ['ready', String(2 - i)]);
    // This command is a connection, too.
    assert.ok([2 - i, 3 - 2 * i].includes(Number(row.CONNECTIONS)), table);
    assert.deepEqual([row.ADDRESS, row.VERSION], [`127.0.0.1:${port}`, '0.1.0']);
    assert.match(row.MEMORY, /^\d+\.\dM$/);
    assert.match(row.UPTIME, /^\d+s$|^\d+m\d\ds$/);
  }
  const sum = nodes.reduce((so, { id }) => so + Number(found[id].CONNECTIONS), 0);
  assert.deepEqual([found.all.CONNECTIONS, found.all.USERS], [String(sum), '-']);
  assert.match(table, /^\d{4}-\d\d-\d\dT[\d:.]+Z, users online 3, as n\d+ says, Redis answered in ms [\d.]+\n/);
  assert.match(table, /^Redis \d+\.\S+ master,.* memory \d+\.\d[KM].*$|^Redis .*partitions /m);
  for (const client of all) await client.close();
});

test('--json is what the API answers', async () => {
  const { code, out } = await run(['--once', '--json', '--url', node.url]);
  assert.equal(code, 0);
  assert.match(out, /^\{.*\}\n$/);
  assert.deepEqual(JSON.parse(out).nodes.map(({ node: name }) => name).sort(), nodes.map(({ id }) => id).sort());
});

test('without a terminal: one table after the other, until SIGINT', async (t) => {
  const it = begin(t, BINARY, ['top', '--url', node.url]);
  await until(() => it.out().split('\nNODE ').length > 2);
  it.child.kill('SIGINT');
  assert.equal(await it.closed, 0);
  assert.ok(!it.out().includes('\u001b'));
  const tables = it.out().split('\n\n20');
  assert.ok(tables.length >= 2, it.out());
  const gone = begin(t, BINARY, ['top', '--url', node.url]);
  await until(() => gone.out());
  gone.child.stdout.destroy();
  assert.equal(await gone.closed, 0);
});

const script = findProgram('script');
test('on a terminal the table stays where it is', { skip: !script && 'there is no script' }, async (t) => {
  const command = `stty rows 6 cols 80; exec '${BINARY}' top --url ${node.url}`;
  const it = begin(t, script, ['-qec', command, '/dev/null']);
  await until(() => it.out().split('\u001b[H').length > 3);
  const screens = it.out().split('\u001b[H').slice(1, 3);
  for (const screen of screens) {
    assert.equal(screen.split('\u001b[K').length - 1, 5, 'no more than the screen has, and a line for the cursor');
    assert.ok(screen.includes('NODE '));
  }
  assert.equal(it.out().split('\u001b[2J').length, 2);
});

test('a node that goes is asked again', async (t) => {
  const port = await freePort();
  const options = { redis, port, args: [...args, ...FAST], env };
  const first = await startNode(options);
  const it = begin(t, BINARY, ['top', '--json', '--url', first.url]);
  await until(() => it.out());
  await first.stop();
  await until(() => it.err().includes('trying again'));
  const again = await startNode(options);
  t.after(() => again.stop());
  const before = it.out().length;
  await until(() => it.out().length > before);
  it.child.kill('SIGTERM');
  assert.equal(await it.closed, 0);
  assert.equal(it.err().split('\n').length, 2, it.err());
});

test('mistakes are named', async () => {
  const port = await freePort();
  const cases = [
    [['x'], 2, 'no words'],
    [[], 2, 'SLUICE_API_KEY', {}],
    [[], 1, 'forbidden', { SLUICE_API_KEY: keyOf('shop') }],
    [['--listen', `127.0.0.1:${port}`], 1, 'not reached'],
  ];
  for (const [words, status, part, own] of cases) {
    const to = words.includes('--listen') ? [] : ['--url', node.url];
    const { code, out, err } = await run([...words, ...to], own);
    assert.deepEqual([code, out], [status, ''], `${words}: ${err}`);
    assert.match(err, /^sluice: top: .*\n$/);
    assert.ok(err.includes(part), `says ${part}: ${err}`);
  }
});
