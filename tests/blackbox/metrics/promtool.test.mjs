// Prometheus's own tool reads /metrics and has nothing to remark.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cluster, findProgram, inRoom, test } from '../lib/harness.mjs';

const promtool = findProgram('promtool');
assert.ok(promtool, 'no promtool: scripts/install-deps test gets it');
const check = (input) => spawnSync(promtool, ['check', 'metrics'], { input, encoding: 'utf8' });

test('promtool check metrics', async () => {
  const { nodes } = await cluster({ nodes: 2, args: ['--channels', 'events'] });
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  await ann.emit('sendMessage', { room: 'r', message: 'hi' });
  await bob.next('chatMessage');
  for (const node of nodes) {
    const { status, stdout, stderr } = check((await node.get('/metrics')).body);
    assert.equal(stdout + stderr, '');
    assert.equal(status, 0);
  }
});

test('it would remark on what is wrong', () => {
  const text = '# HELP sluice_heals Heals.\n# TYPE sluice_heals counter\nsluice_heals 1\n';
  assert.notEqual(check(text).status, 0);
  assert.notEqual(check('sluice_heals{ 1\n').status, 0);
});
