// /metrics is Prometheus text whose counters follow what happens; /healthz and /readyz.
import assert from 'node:assert/strict';
import { cluster, connect, inRoom, request, test, until } from '../lib/harness.mjs';
import { metric, scores } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

const LABELS = /^(?:([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=[a-z])|$))+$/;

// The text as families, in order: { name, help, type, samples: [{ name, labels, value }] }.
function families(text) {
  const all = [];
  assert.ok(text.endsWith('\n'));
  for (const line of text.trimEnd().split('\n')) {
    const [, keyword, name, rest] = line.match(/^# (HELP|TYPE) ([a-z_]+) (.+)$/) ?? [];
    if (keyword === 'HELP') {
      assert.ok(!all.some((family) => family.name === name), `${name} comes once`);
      all.push({ name, help: rest, samples: [] });
      continue;
    }
    const family = all.at(-1);
    if (keyword === 'TYPE') {
      assert.equal(name, family.name, 'TYPE stands behind HELP');
      assert.equal(family.type, undefined);
      assert.ok(['counter', 'gauge', 'histogram'].includes(rest), line);
      family.type = rest;
      continue;
    }
    const [, sample, , labels, value] =
      line.match(/^([a-z_]+)(\{(.+)\})? (\d+(?:\.\d+)?)$/) ?? assert.fail(`no sample: ${line}`);
    assert.ok(family.type, `HELP and TYPE stand before it: ${line}`);
    if (labels) assert.match(labels, LABELS);
    family.samples.push({ name: sample, labels: labels ?? '', value: Number(value) });
  }
  return all;
}

// The samples of each histogram of a family, which may have other labels than `le`.
function histograms({ name, samples }) {
  const all = new Map();
  for (const sample of samples) {
    const labels = sample.labels.replace(/,?le="\S+"$/, '');
    if (!all.has(labels)) all.set(labels, { name, samples: [] });
    all.get(labels).samples.push(sample);
  }
  return [...all.values()];
}

// Buckets that rise, in order of `le`, to +Inf, which is the count.
function checkHistogram({ name, samples }) {
  const buckets = samples.slice(0, -2);
  const [sum, count] = samples.slice(-2);
  assert.equal(sum.name, `${name}_sum`);
  assert.equal(count.name, `${name}_count`);
  assert.ok(buckets.length > 10);
  const bounds = buckets.map(({ labels }) => labels.match(/\ble="(\S+)"$/)[1]);
  assert.equal(bounds.pop(), '+Inf');
  assert.equal(Number(bounds[0]), 50e-6);
  assert.equal(Number(bounds.at(-1)), 10);
  for (const [i, bucket] of buckets.entries()) {
    assert.equal(bucket.name, `${name}_bucket`);
    assert.ok(i === 0 || bucket.value >= buckets[i - 1].value, 'cumulative');
    assert.ok(i === 0 || i > bounds.length - 1 || Number(bounds[i]) > Number(bounds[i - 1]));
  }
  assert.equal(buckets.at(-1).value, count.value);
  const least = buckets.reduce((total, bucket, i) => {
    const own = bucket.value - (i === 0 ? 0 : buckets[i - 1].value);
    return total + own * (i === 0 ? 0 : Number(bounds[i - 1]));
  }, 0);
  assert.ok(sum.value >= least * 0.999, `${name}: ${sum.value} s, at least ${least} s`);
}

test('the text in full: HELP and TYPE, then samples', async () => {
  for (const node of nodes) {
    const { status, headers, body } = await node.get('/metrics');
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/plain; *version=0\.0\.4/);
    const all = families(body);
    const sets = new Set();
    for (const family of all) {
      assert.match(family.name, /^(sluice|process)_/);
      assert.equal(family.type === 'counter', family.name.endsWith('_total'), family.name);
      assert.ok(family.samples.length > 0, family.name);
      for (const { name, labels } of family.samples) {
        assert.ok(!sets.has(`${name}{${labels}}`), `twice: ${name}{${labels}}`);
        sets.add(`${name}{${labels}}`);
      }
      if (family.type === 'histogram') histograms(family).forEach(checkHistogram);
      else assert.ok(family.samples.every(({ name }) => name === family.name));
    }
    assert.equal(all.filter(({ type }) => type === 'histogram').length, 4);
  }
});

test('counters follow', async () => {
  const read = (node, ...names) => Promise.all(names.map((name) => metric(node, `sluice_${name}`)));
  const names = [
    'events_total',
    'errors_total',
    'messages_total',
    'deliveries_total',
    'users',
  ];
  const before = await Promise.all(nodes.map((node) => read(node, ...names)));
  const [ann, bob] = await inRoom(nodes, 'm', 'ann', 'bob');
  for (let i = 0; i < 5; i++) await ann.emit('sendMessage', { room: 'm', message: i });
  await assert.rejects(ann.emit('no_such_event', {}), { code: 'unknown_event' });
  for (const client of [ann, bob])
    await client.next('chatMessage', { match: ({ data }) => data.message === 4 });
  const after = await Promise.all(nodes.map((node) => read(node, ...names)));
  const rise = (node, name) => after[node][names.indexOf(name)] - before[node][names.indexOf(name)];
  assert.equal(rise(0, 'events_total'), 8);
  assert.equal(rise(1, 'events_total'), 2);
  assert.equal(rise(0, 'errors_total'), 1);
  assert.equal(rise(1, 'errors_total'), 0);
  for (const node of [0, 1]) {
    assert.ok(rise(node, 'messages_total') >= 5);
    assert.ok(rise(node, 'deliveries_total') >= 5);
    assert.equal(rise(node, 'users'), 1);
  }
  await ann.close();
  await bob.close();
  for (const [i, node] of nodes.entries()) {
    await until(
      async () => (await metric(node, 'sluice_users')) === before[i][names.indexOf('users')],
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
