// What the README shows: the map, and the back end, as they are printed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { runBack } from '../lib/apps.mjs';
import { cluster, freePort, ROOT, tempDir, test } from '../lib/harness.mjs';
import { emit, front, next } from '../lib/socketio.mjs';

const text = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
const block = (chapter, language = '') =>
  text.split(`\n## ${chapter}\n`)[1].split(`\n\`\`\`${language}\n`)[1].split('```')[0];
const port = await freePort();
const dir = tempDir('readme');
const put = (name, body) => {
  fs.writeFileSync(path.join(dir, name), body);
  return path.join(dir, name);
};
const conf = put('sluice.conf', block('Keep your front end').replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`));
const { nodes, stop } = await cluster({ nodes: 2, args: ['--config', conf] });
after(stop);
const back = await runBack(put('back.mjs', block('Your own back end', 'js').replace('3000', port)), port);
after(() => back.end('SIGTERM', 5000));

test('the map and the back end of the README', async () => {
  const [ann, bob] = [await front(nodes[0]), await front(nodes[1])];
  assert.deepEqual(await next(ann, 'results'), { cats: 0, dogs: 0 });
  await next(bob, 'results');
  ann.emit('typing', 'ann');
  assert.equal(await next(bob, 'typing'), 'ann');
  ann.emit('chat message', 'hello');
  for (const socket of [ann, bob]) assert.equal(await next(socket, 'chat message'), 'hello');
  for (const socket of [ann, bob]) await emit(socket, 'join-room', 'game');
  ann.emit('move', { room: 'game', to: 3 });
  assert.deepEqual(await next(bob, 'move'), { room: 'game', to: 3 });
  bob.emit('signal', ann.id, { sdp: 1 });
  let from;
  assert.deepEqual(await next(ann, 'signal', { match: (data, id) => (from = id) }), { sdp: 1 });
  assert.equal(from, bob.id);
  assert.deepEqual(await emit(bob, 'vote', 'cats'), { ok: true });
  assert.deepEqual(await next(ann, 'results'), { cats: 1, dogs: 0 });
  await assert.rejects(emit(bob, 'vote', 'birds')); // an ack with `error`
  assert.deepEqual(ann.got.map(({ event }) => event), []); // nothing came back to its sender
  for (const socket of [ann, bob]) socket.end();
});

// The README says so.
test('no back end of tests/apps is longer than 40 lines, or needs a package', async () => {
  const apps = path.join(ROOT, 'tests/apps');
  const files = fs.readdirSync(apps).flatMap((app) => fs.readdirSync(path.join(apps, app)).map((file) => path.join(apps, app, file)));
  const backs = files.filter((file) => path.basename(file).startsWith('back.'));
  assert.ok(backs.length > 12);
  for (const file of backs) {
    const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.ok(lines.length <= 40, `${file}: ${lines.length} lines`);
    for (const line of lines) if (/^import .* from/.test(line)) assert.match(line, /from 'node:/, file);
  }
});
