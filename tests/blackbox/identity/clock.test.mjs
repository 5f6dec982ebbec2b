// The end of a token is a time of the wall clock. A node whose clock is set notices.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, login, ROOT, tempDir, test } from '../lib/harness.mjs';
import { IDENTITY, token } from '../lib/token.mjs';

test('a clock that is set ahead ends a token, and one that is set back does not keep it', async (t) => {
  const dir = tempDir('clock');
  const [file, library] = [path.join(dir, 'ahead'), path.join(dir, 'clock.so')];
  const set = (seconds) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds) * 1000000n);
    fs.writeFileSync(file, bytes, { flag: fs.existsSync(file) ? 'r+' : 'w' });
  };
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, path.join(ROOT, 'tests/blackbox/lib/clock.c')]);
  set(0);
  const env = {
    LD_PRELOAD: library,
    CLOCK_FILE: file,
    ASAN_OPTIONS: 'detect_leaks=1:exitcode=99:verify_asan_link_order=0',
  };
  const { nodes, stop } = await cluster({ nodes: 2, args: [...IDENTITY, '--jwt-leeway', '60s'], env });
  t.after(stop);
  const ann = await login(nodes[0], undefined, { token: token('ann') });
  const bob = await login(nodes[1], undefined, { token: token('bob', {}, { ttl: 86400 }) });
  set(3600 + 5); // past exp, within jwt-leeway
  const { data } = await ann.next('token_expiring', { timeout: 20000 });
  assert.equal(data.expiresIn, 0);
  assert.ok(ann.isOpen);
  set(3600 + 90);
  assert.equal((await ann.closed).code, 4401);
  set(-3600);
  await assert.rejects(login(nodes[0], undefined, { token: token('cat') }), { code: 'unauthorized' }, 'iat is still ahead');
  assert.ok(bob.isOpen);
});
