// SIGHUP reads the options again; SIGUSR1 and SIGUSR2 do nothing; from the first moment on.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { connect, freePort, login, request, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { BINARY } from '../lib/servers.mjs';

const redis = await startRedis();

// The lines of the log that came since.
function watch(node) {
  const from = node.log().length;
  return (pattern) => until(() => node.log().slice(from).match(pattern), { what: `${pattern}` });
}

async function configured(text, args = []) {
  const file = path.join(tempDir('config'), 'sluice.conf');
  const write = (now) => fs.writeFileSync(file, now);
  write(text);
  const node = await startNode({ redis, args: ['--config', file, ...args], env: { SLUICE_DRAIN: undefined } });
  const reload = async (now, pattern) => {
    const seen = watch(node);
    write(now);
    node.signal('SIGHUP');
    return seen(pattern);
  };
  return { node, file, reload };
}

test('SIGUSR1, SIGUSR2, and SIGHUP without a file leave the node and its clients as they are', async (t) => {
  const node = await startNode({ redis });
  t.after(() => node.stop());
  const ann = await login(node, 'ann');
  const seen = watch(node);
  for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGUSR1']) node.signal(name);
  await seen(/event=reloaded node=\S+ changed=0\n/);
  await ann.emit('heartbeat', {});
  await ann.close();
});

test('what can be changed at run time is, for who is connected, too', async (t) => {
  const token = 'a-long-token';
  const { node, reload } = await configured('log-level = error\nadmin-token = first-token\n');
  t.after(() => node.stop());
  const api = async (given) => {
    const headers = { Authorization: `Bearer ${given}` };
    return (await node.get('/api/v1/cluster', { headers })).status;
  };
  const ann = await login(node, 'ann');
  assert.equal(await api('first-token'), 200);
  await reload(`log-level = info\nadmin-token = ${token}\nmax-subscriptions = 3\n`, /event=reloaded .*changed=3/);
  assert.ok(!node.log().includes(token), 'a secret is not shown');
  assert.deepEqual([await api('first-token'), await api(token)], [401, 200]);
  await ann.emit('join', { room: 'a' });
  await assert.rejects(async () => {
    for (const room of ['b', 'c', 'd']) await ann.emit('join', { room });
  });
  await reload('log-format = json\n', /"event":"reloaded"/);
  assert.equal(await api(token), 404, 'without a token there is no API');
  // Again and again: texts belong to whoever has them.
  for (let i = 0; i < 20; i++) {
    await reload(`admin-token = token-number-${i}\nlog-level = debug\n`, /event=reloaded/);
    assert.equal(await api(`token-number-${i}`), 200);
  }
  await ann.emit('heartbeat', {});
  await ann.close();
});

test('a flag still goes before the file; what needs a restart is named', async (t) => {
  const { node, file, reload } = await configured('drain = 1s\n', ['--log-level', 'info']);
  t.after(() => node.stop());
  const seen = watch(node);
  await reload('drain = 2s\nlog-level = error\n\nmax-message = 1000\n', /event=reloaded .*changed=1/);
  const [, place] = await seen(/level=warn event=option_needs_restart .*option=max-message place="(.*)"\n/);
  assert.equal(place, `${file} line 4`);
  await seen(/event=option_changed .*option=drain /);
});

test('a file that is wrong changes nothing, and the log says where', async (t) => {
  const { node, file, reload } = await configured('log-level = error\n');
  t.after(() => node.stop());
  const wrong = [
    ['log-level = debug\nmax-message = lots\n', 'line 2: max-message is \\\\"lots\\\\"'],
    ['log-level = debug\nno-such-option = 1\n', 'line 2: there is no option no-such-option'],
    ['log-level = debug\nadmin-token = short\n', 'line 2: admin-token: must be'],
  ];
  for (const [text, why] of wrong) {
    await reload(text, new RegExp(`level=error event=reload_failed .*${path.basename(file)} ${why}`));
  }
  const seen = watch(node);
  fs.rmSync(file);
  node.signal('SIGHUP');
  await seen(/event=reload_failed .*No such file/);
  await (await connect(node)).close();
  assert.ok(!/level=debug/.test(node.log()));
  await reload('log-level = info\n', /event=reloaded .*changed=1/);
});

test('signals that come while it starts', async (t) => {
  for (const name of ['SIGHUP', 'SIGUSR1', 'SIGUSR2']) {
    const port = await freePort();
    const args = ['--listen', `127.0.0.1:${port}`, '--redis-url', redis.url, '--node-id', 'early'];
    const child = spawn(BINARY, args, { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    // From its exec on: before, it is still the test that the signal would end.
    const command = () => fs.readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
    await until(() => command().startsWith(BINARY), { what: 'it has begun' });
    const healthy = () => request(`http://127.0.0.1:${port}/healthz`).then(() => true, () => false);
    let up = false;
    const waiting = until(healthy, { what: `healthy after ${name}` }).then(() => (up = true));
    // Its handlers, or that it ignores them, come with its first instructions: SigIgn, SigBlk.
    const guarded = () => {
      const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
      const [, ignored] = status.match(/^SigIgn:\s*(\w+)/m);
      return (BigInt(`0x${ignored}`) & 0x200n) !== 0n; // SIGUSR1
    };
    await until(guarded, { what: 'signals are guarded' });
    while (!up) {
      child.kill(name);
      await new Promise(setImmediate);
    }
    await waiting;
    assert.equal(child.exitCode ?? child.signalCode, null);
    child.kill('SIGTERM');
    await new Promise((resolve) => child.on('exit', resolve));
    assert.equal(child.exitCode, 0);
  }
});
