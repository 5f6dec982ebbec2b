// /metrics is Prometheus text whose counters follow what happens; /healthz and /readyz.
import assert from 'node:assert/strict';
import { cluster, connect, login, request, test, until } from './lib/harness.mjs';
import { metric, scores } from './lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('the text parses: HELP, TYPE and a sample each', async () => {
  for (const node of nodes) {
    const { status, headers, body } = await node.get('/metrics');
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/plain; *version=0\.0\.4/);
    assert.ok(body.endsWith('\n'));
    const types = {};
    const helps = new Set();
    const samples = new Set();
    for (const line of body.trimEnd().split('\n')) {
      const [, keyword, name, rest] = line.match(/^# (HELP|TYPE) ([a-z_]+) (.+)$/) ?? [];
      if (keyword === 'TYPE') types[name] = rest;
      else if (keyword === 'HELP') helps.add(name);
      else {
        const [, sample] = line.match(/^([a-z_]+)(?:\{[^}]*\})? (-?[0-9.e+-]+)$/) ?? [];
        assert.ok(sample, `a sample: ${line}`);
        assert.ok(types[sample], `its TYPE stands before it: ${line}`);
        assert.ok(helps.has(sample), `its HELP stands before it: ${line}`);
        assert.match(sample, /^sluice_/);
        samples.add(sample);
      }
    }
    for (const [name, type] of Object.entries(types)) {
      assert.ok(['counter', 'gauge', 'histogram'].includes(type), `${name} ${type}`);
      assert.ok(samples.has(name), name);
      if (type === 'counter') assert.match(name, /_total$/);
    }
  }
});

test('counters follow', async () => {
  const read = (node, ...names) => Promise.all(names.map((name) => metric(node, `sluice_${name}`)));
  const names = [
    'events_total',
    'event_errors_total',
    'messages_total',
    'deliveries_total',
    'clients',
  ];
  const before = await Promise.all(nodes.map((node) => read(node, ...names)));
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  for (const client of [ann, bob]) await client.emit('join', { room: 'm' });
  for (let i = 0; i < 5; i++) await ann.emit('sendMessage', { room: 'm', message: i });
  await assert.rejects(ann.emit('no_such_event', {}), { code: 'unknown_event' });
  for (const client of [ann, bob])
    await client.next('chatMessage', { match: ({ data }) => data.message === 4 });
  const after = await Promise.all(nodes.map((node) => read(node, ...names)));
  const rise = (node, name) => after[node][names.indexOf(name)] - before[node][names.indexOf(name)];
  assert.equal(rise(0, 'events_total'), 8);
  assert.equal(rise(1, 'events_total'), 2);
  assert.equal(rise(0, 'event_errors_total'), 1);
  assert.equal(rise(1, 'event_errors_total'), 0);
  for (const node of [0, 1]) {
    assert.ok(rise(node, 'messages_total') >= 5);
    assert.ok(rise(node, 'deliveries_total') >= 5);
    assert.equal(rise(node, 'clients'), 1);
  }
  await ann.close();
  await bob.close();
  for (const [i, node] of nodes.entries()) {
    await until(
      async () => (await metric(node, 'sluice_clients')) === before[i][names.indexOf('clients')],
    );
  }
});

test('healthz has exactly its members', async () => {
  const idle = (await nodes[0].health()).connections;
  const client = await connect(nodes[0]);
  const { status, headers, body } = await nodes[0].get('/healthz');
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^application\/json/);
  const health = JSON.parse(body);
  assert.deepEqual(Object.keys(health), [
    'status',
    'node',
    'incarnation',
    'address',
    'version',
    'connections',
  ]);
  assert.equal(health.status, 'ok');
  assert.equal(health.connections, idle + 1);
  assert.ok(health.incarnation in (await scores(redis, 'sluice:nodes')));
  await client.close();
  await until(async () => (await nodes[0].health()).connections === idle);
});

test('readyz, and methods', async () => {
  const ready = await nodes[0].get('/readyz');
  assert.equal(ready.status, 200);
  assert.deepEqual(ready.json(), { ready: true });
  for (const where of ['/healthz', '/readyz', '/metrics']) {
    const head = await request(nodes[0].url + where, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    const post = await request(nodes[0].url + where, { method: 'POST', body: 'x' });
    assert.equal(post.status, 405);
  }
  assert.equal((await nodes[0].get('/healthz?x=1')).status, 200);
  assert.equal((await nodes[0].get('/no/such/path')).status, 404);
});
