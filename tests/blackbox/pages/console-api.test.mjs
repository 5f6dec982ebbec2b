// The view of the cluster under /api/v1/: who may ask, and that the answers follow reality.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { cluster, isManaged, login, request, startNode, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { hash, keys, scores } from '../lib/registry.mjs';

const TOKEN = 'a-token-of-the-test';
const args = ['--lease-interval', '200ms', '--lease-timeout', '3s'];
const { redis, nodes } = await cluster({ nodes: 2, args, env: { SLUICE_ADMIN_TOKEN: TOKEN } });

const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
const get = (path, node = nodes[0]) => node.get(path, bearer(TOKEN));
const view = async (node) => (await get('/api/v1/cluster', node)).json();
const online = async (text, more = '') =>
  (await get(`/api/v1/online?search=${encodeURIComponent(text)}${more}`)).json();
const ids = ({ users }) => users.map(({ id }) => id);

// A view that satisfies `fn`, of whichever node.
async function viewWhere(fn, node = nodes[0], timeout = 10000) {
  let last;
  await until(async () => fn((last = await view(node))), { timeout, what: String(fn) });
  return last;
}

test('only with the token; never without the option', async (t) => {
  for (const path of ['/api/v1/cluster', '/api/v1/online', '/api/v1/users/ann']) {
    const wrong = [{}, bearer(''), bearer('x'), bearer(`${TOKEN}x`), bearer(TOKEN.slice(1))];
    wrong.push({ headers: { authorization: `Basic ${TOKEN}` } });
    wrong.push({ headers: { authorization: TOKEN } });
    for (const options of wrong) {
      const { status, headers, json } = await nodes[0].get(path, options);
      assert.equal(status, 401, `${path} ${JSON.stringify(options)}`);
      assert.equal(headers['www-authenticate'], 'Bearer');
      assert.match(headers['content-type'], /^application\/json/);
      assert.equal(json().error.code, 'unauthorized');
    }
    const post = await request(nodes[0].url + path, { method: 'POST', ...bearer(TOKEN) });
    assert.equal(post.status, 405);
    assert.equal(post.json().error.code, 'bad_method');
  }
  const lower = { headers: { authorization: `bearer   ${TOKEN}` } };
  assert.equal((await nodes[0].get('/api/v1/cluster', lower)).status, 200);
  const head = await request(`${nodes[0].url}/api/v1/cluster`, {
    method: 'HEAD',
    ...bearer(TOKEN),
  });
  assert.equal(head.status, 200);
  assert.equal(head.body, '');
  assert.ok(Number(head.headers['content-length']) > 100);

  const plain = await startNode({ redis });
  t.after(() => plain.stop());
  for (const node of [nodes[0], plain]) {
    for (const path of [
      '/api/',
      '/api/v1/',
      '/api/v1/clusters',
      '/api/v2/cluster',
      '/api/v1/users/',
    ]) {
      const { status, json } = await get(path, node);
      assert.equal(status, 404, path);
      assert.equal(json().error.code, 'not_found');
    }
  }
  for (const path of [
    '/console',
    '/console.js',
    '/console.css',
    '/api/v1/cluster',
    '/api/v1/online',
  ]) {
    assert.equal((await get(path, plain)).status, 404, path);
  }
  for (const path of ['/console', '/console.js', '/console.css']) {
    const { status, headers } = await nodes[0].get(path);
    assert.equal(status, 200, path);
    assert.match(headers['content-security-policy'], /default-src 'self'/);
  }
});

test('nodes, their numbers, and what they do', async () => {
  const ann = await login(nodes[0], 'ann', { username: 'Ann A.' });
  const bob = await login(nodes[1], 'bob');
  for (const client of [ann, bob]) await client.emit('join', { room: 'busy' });
  const names = await Promise.all(nodes.map(async (node) => (await node.health()).incarnation));

  let going = true;
  const talking = (async () => {
    while (going) await ann.emit('sendMessage', { room: 'busy', message: 'x' });
  })();
  const busy = await viewWhere(
    (seen) =>
      seen.nodes.length === 2 &&
      seen.nodes.every((node) => node.deliveries_per_second > 0 && node.connections === 1),
  ).finally(() => (going = false));
  await talking;
  assert.equal(busy.node, nodes[0].id);
  assert.equal(busy.lease_timeout_ms, 3000);
  assert.ok(Math.abs(busy.time - Date.now()) < 60000);
  assert.deepEqual(busy.nodes.map((node) => node.incarnation).sort(), names.sort());
  for (const [i, node] of nodes.entries()) {
    const told = busy.nodes.find((one) => one.node === node.id);
    assert.equal(told.address, `127.0.0.1:${node.port}`);
    assert.equal(told.version, (await node.health()).version);
    assert.ok(told.lease_age_ms < 10000, `${told.lease_age_ms} ms`);
    assert.equal(told.users, 1);
    assert.equal(told.channels, 2);
    assert.equal(told.ready, true);
    assert.ok(told.rss_bytes > 1 << 20);
    assert.equal(typeof told.uptime_s, 'number');
    assert.equal(typeof told.queue_bytes, 'number');
    assert.ok(told.loop_turn_ms.max > 0 && told.loop_turn_ms.max < 60000);
    if (i === 0) assert.ok(told.events_per_second > 0);
  }
  assert.equal((await view(nodes[1])).node, nodes[1].id);

  const { redis: told } = busy;
  assert.match(told.version, /^\d+\.\d+/);
  assert.equal(told.role, 'master');
  if (!isManaged()) assert.match(told.run_id, /^[0-9a-f]{40}$/);
  assert.ok(told.used_memory > 100000 && told.latency_ms >= 0 && told.clients >= 4);
  assert.equal(told.appendonly, true);
  assert.equal(told.last_save_ok, true);

  await viewWhere((seen) => seen.nodes.every((node) => node.deliveries_per_second === 0));
  await Promise.all([ann.close(), bob.close()]);
  await viewWhere(
    (seen) => seen.online.count === 0 && seen.nodes.every(({ users }) => users === 0),
  );
});

test('rooms by size, the index follows and heals', async () => {
  const clients = await Promise.all([0, 1, 2, 3, 4].map((i) => login(nodes[i % 2], `r${i}`)));
  for (const [i, client] of clients.entries()) {
    await client.emit('join', { room: 'large' });
    if (i < 3) await client.emit('join', { room: 'middle"é"' });
    if (i < 1) await client.emit('join', { room: 'alone' });
  }
  const sizes = ({ rooms }) =>
    rooms.map(({ room, online: n, total }) => [room, n, total].join(' '));
  await viewWhere((seen) => sizes(seen).join() === 'large 5 5,middle"é" 3 3,alone 1 1');
  assert.deepEqual(await scores(redis, 'sluice:rooms'), { large: 5, 'middle"é"': 3, alone: 1 });

  // A member goes, another ends the membership.
  await clients[4].close();
  await clients[1].emit('leave', { room: 'middle"é"' });
  await viewWhere((seen) => sizes(seen).join() === 'large 4 5,middle"é" 2 2,alone 1 1');

  // What nobody would tell of: wrong numbers, rooms that never were.
  await redis.cli('ZADD', 'sluice:rooms', 900, 'never', 1, 'large', 7, 'nor this');
  const healed = { large: 4, 'middle"é"': 2, alone: 1 };
  await until(async () => {
    await view(); // who looks sets right what they find
    return isDeepStrictEqual(await scores(redis, 'sluice:rooms'), healed);
  });
  await viewWhere((seen) => sizes(seen).join() === 'large 4 5,middle"é" 2 2,alone 1 1');

  await Promise.all(clients.slice(0, 4).map((client) => client.close()));
  await redis.cli('ZADD', 'sluice:rooms', 5, 'of a node that died');
  await until(async () => (await redis.cli('EXISTS', 'sluice:rooms')) === '0', {
    what: 'the index of rooms is empty without anybody asking',
  });
});

test('a node that is killed goes, with its rooms and words', async (t) => {
  const third = await startNode({ redis, args });
  t.after(() => third.kill());
  const { incarnation } = await third.health();
  const eve = await login(third, 'eve');
  await eve.emit('join', { room: 'only-there' });
  await viewWhere(({ nodes: all, rooms }) => all.length === 3 && rooms.length === 1);
  const stats = `sluice:{node:${incarnation}}:stats`;
  assert.equal((await hash(redis, stats)).node, third.id);
  assert.ok(Number(await redis.cli('PTTL', stats)) > 0);
  third.suspend();
  await viewWhere(({ nodes: all }) =>
    all.some((node) => node.lease_age_ms > 500 || node.lease_age_ms === null),
  );
  await third.kill();
  await viewWhere(
    ({ nodes: all, rooms, online: there }) =>
      !all.some((node) => node.incarnation === incarnation) &&
      rooms.length === 0 &&
      there.count === 0,
    nodes[1],
    15000,
  );
  assert.equal(await redis.cli('EXISTS', stats), '0');
  assert.deepEqual(await keys(redis, 'sluice:{node:*}:users'), []);

  // One that goes in order takes its words along.
  const fourth = await startNode({ redis, args });
  const { incarnation: last } = await fourth.health();
  await until(async () => (await redis.cli('EXISTS', `sluice:{node:${last}}:stats`)) === '1');
  await fourth.stop();
  assert.equal(await redis.cli('EXISTS', `sluice:{node:${last}}:stats`), '0');
});

test('search: substrings, the exact id first, no wildcards', async () => {
  const odd = [
    'a*b',
    'a[bc]',
    'a?b',
    'back\\slash',
    'caret^',
    'zoë"',
    '\u{1f40b}whale',
    'axb',
    'ab',
  ];
  const clients = [];
  for (const [i, id] of odd.entries()) {
    clients.push(await login(nodes[i % 2], id, i === 0 ? { username: 'Star' } : {}));
  }
  for (const [text, found] of [
    ['a*b', ['a*b']],
    ['a?b', ['a?b']],
    ['[bc]', ['a[bc]']],
    ['[', ['a[bc]']],
    [']', ['a[bc]']],
    ['\\', ['back\\slash']],
    ['^', ['caret^']],
    ['oë"', ['zoë"']],
    ['\u{1f40b}', ['\u{1f40b}whale']],
    ['*', ['a*b']],
    ['nobody', []],
  ]) {
    const answer = await online(text);
    assert.deepEqual(ids(answer), found, text);
    assert.equal(answer.more, false);
    assert.ok(!('cursor' in answer));
  }
  assert.equal(ids(await online('ab'))[0], 'ab');
  assert.deepEqual(ids(await online('')).sort(), [...odd].sort());
  const [star] = (await online('a*')).users;
  assert.equal(star.username, 'Star');
  assert.ok(star.last_heartbeat_age_ms >= 0 && star.last_heartbeat_age_ms < 60000);
  assert.ok(!('username' in (await online('axb')).users[0]), 'left out when it is the id');
  for (const query of ['search=%ff', 'search=%00', 'search=%', `search=${'x'.repeat(129)}`]) {
    const { status, json } = await get(`/api/v1/online?${query}`);
    assert.equal(status, 400, query);
    assert.deepEqual([json().error.code, json().error.field], ['bad_field', 'search']);
  }
  for (const cursor of ['', '-1', '1e3', '1'.repeat(21), '9'.repeat(20)]) {
    const query = `cursor=${cursor}`;
    const { status, json } = await get(`/api/v1/online?${query}`);
    assert.equal(status, 400, query);
    assert.equal(json().error.field, 'cursor');
  }
  await Promise.all(clients.map((client) => client.close()));
});

test('many users: a page at a time, all of them once', async () => {
  const many = 30000;
  await redis.cli(
    'EVAL',
    `for i = 1, ${many} do redis.call('ZADD', KEYS[1], ARGV[1] + i, 'many-' .. i) end return 1`,
    1,
    'sluice:online',
    Date.now(), // those heard of long ago, by no node, are swept
  );
  const first = await online('many-');
  assert.equal(first.more, true);
  assert.ok(first.users.length >= 100 && first.users.length < 1000, `${first.users.length}`);
  const rare = 'many-29999';
  const exact = await online(rare);
  assert.deepEqual(ids(exact), [rare], 'at once, wherever it lies');
  let found = [];
  let requests = 0;
  for (let cursor = ''; cursor !== undefined; requests++) {
    const page = await online('many-2999', cursor && `&cursor=${cursor}`);
    found = [...found, ...ids(page)];
    cursor = page.cursor;
  }
  assert.ok(requests > 5 && requests < 30, `${requests} requests of bounded work`);
  const wanted = ['many-2999', ...Array.from({ length: 10 }, (_, i) => `many-2999${i}`)];
  assert.deepEqual([...new Set(found)].sort(), wanted.sort());
  const seen = await view();
  assert.equal(seen.online.count, many);
  assert.equal(seen.online.users.length, 100);
  assert.equal(seen.online.users[0].id, `many-${many}`, 'the latest first');
  await redis.cli('DEL', 'sluice:online');
});

test('a user: connections and rooms', async () => {
  const id = 'dän/"1"';
  const path = `/api/v1/users/${encodeURIComponent(id)}`;
  assert.equal((await get(path)).status, 404);
  const one = await login(nodes[0], id, { username: 'Dan', role: 'agent' });
  const two = await login(nodes[1], id, { username: 'Dan', role: 'agent' });
  await one.emit('join', { room: 'a' });
  await two.emit('join', { room: 'b' });
  const user = (await get(path)).json();
  assert.deepEqual(
    { id: user.id, username: user.username, role: user.role, online: user.online },
    { id, username: 'Dan', role: 'agent', online: true },
  );
  assert.deepEqual(user.rooms.sort(), ['a', 'b']);
  const mine = user.connections.find((connection) => connection.id === one.ack.connectionId);
  assert.equal(user.connections.length, 2);
  assert.equal(mine.node, nodes[0].id);
  assert.equal(mine.incarnation, (await nodes[0].health()).incarnation);
  assert.equal(mine.address, `127.0.0.1:${one.socket._socket.localPort}`);
  assert.ok(Math.abs(mine.since - Date.now()) < 60000);
  await Promise.all([one.close(), two.close()]);
  await until(async () => (await get(path)).json().online === false);
  for (const bad of ['%20', 'a%20b', 'a:b', '%', 'x'.repeat(129)]) {
    assert.equal((await get(`/api/v1/users/${bad}`)).status, 400, bad);
  }
});

test('many who look cost Redis one read a second', async () => {
  const calls = async () =>
    Number((await redis.cli('INFO', 'commandstats')).match(/cmdstat_info:calls=(\d+)/)?.[1] ?? 0);
  const start = await calls();
  const { time } = await view();
  await viewWhere((seen) => seen.time !== time); // read anew
  const before = await calls();
  assert.ok(before - start - 1 >= 6, 'a view asks for INFO');
  const began = Date.now();
  const views = await Promise.all(Array.from({ length: 50 }, () => get('/api/v1/cluster')));
  const seconds = Math.ceil((Date.now() - began) / 1000);
  for (const { status } of views) assert.equal(status, 200);
  const reads = ((await calls()) - before - 1) / 6; // sections; one is this test's own
  assert.ok(reads <= seconds + 1, `${reads} reads in ${seconds} s`);
});

test('the token is in no log, and a bad one is not repeated', async () => {
  for (const node of nodes) assert.ok(!node.log().includes(TOKEN));
  for (const bad of ['seven77', 'with a space', 'umläut-token', 'x'.repeat(1024)]) {
    const listen = ['--listen', '127.0.0.1:0'];
    const { code, err } = await runProgram(listen, { env: { SLUICE_ADMIN_TOKEN: bad } });
    assert.equal(code, 1, bad);
    assert.match(err, /SLUICE_ADMIN_TOKEN: admin-token: must be 8 to 1023 visible ASCII/);
    assert.ok(!err.includes(bad));
  }
});
