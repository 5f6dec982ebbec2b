// The log: one line an event, logfmt or JSON; the first has the address.
import assert from 'node:assert/strict';
import { cluster, connect, login, startRedis, test } from '../lib/harness.mjs';

async function busy({ redis, nodes }) {
  const ann = await login(nodes[0], 'ann"a"\\=', { csId: '1' });
  const odd = await connect(nodes[1]);
  odd.raw('{"event":"nonsense\\u0001\\n level=error"}');
  odd.raw(Buffer.from([0xff]));
  await odd.closed;
  await redis.kill();
  for (const node of nodes) await node.untilNotReady();
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  await ann.close();
}

test('json: every line parses and names time, level, event and node', async () => {
  const redis = await startRedis();
  const all = await cluster({
    nodes: 2,
    redis,
    args: ['--log-format', 'json', '--log-level', 'debug'],
  });
  await busy(all);
  await all.stop();
  for (const node of all.nodes) {
    const lines = node
      .log()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.match(lines[0].addr, new RegExp(`^127\\.0\\.0\\.1:${node.port}$`));
    for (const line of lines) {
      assert.ok(!Number.isNaN(Date.parse(line.time)), JSON.stringify(line));
      assert.ok(['debug', 'info', 'warn', 'error'].includes(line.level), JSON.stringify(line));
      assert.equal(line.node, node.id);
      assert.equal(typeof line.event, 'string');
    }
  }
  await redis.stop();
});

test('logfmt: every line is pairs, values quoted where they must be', async () => {
  const redis = await startRedis();
  const all = await cluster({ nodes: 2, redis, args: ['--log-level', 'debug'] });
  await busy(all);
  await all.stop();
  const pairs = /^[a-z_]+=([^ "=]+|"([^"\\]|\\.)*")( [a-z_]+=([^ "=]+|"([^"\\]|\\.)*"))*$/;
  for (const node of all.nodes) {
    const lines = node.log().trimEnd().split('\n');
    assert.match(lines[0], new RegExp(` addr=127\\.0\\.0\\.1:${node.port}( |$)`));
    for (const line of lines) {
      assert.match(line, pairs);
      assert.match(line, /^time=\S+ level=(debug|info|warn|error) event=\S+ node=/);
    }
  }
  await redis.stop();
});

test('the level is kept; only the address is told whatever it is', async (t) => {
  const { nodes, redis, stop } = await cluster({ nodes: 2, args: ['--log-level', 'warn'] });
  t.after(stop);
  await busy({ redis, nodes });
  for (const node of nodes) {
    const [first, ...rest] = node.log().trimEnd().split('\n');
    assert.match(first, / addr=127/);
    assert.ok(
      rest.some((line) => /level=warn/.test(line)),
      'Redis was away',
    );
    assert.ok(
      rest.every((line) => /level=(warn|error)/.test(line)),
      rest.join('\n'),
    );
  }
});
