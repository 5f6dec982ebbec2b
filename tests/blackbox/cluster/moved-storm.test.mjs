// Very many commands are answered MOVED at one moment: the node asks once where the slots are, and
// not once for each of them. All go on at the new master.
import assert from 'node:assert/strict';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';
import { hasComeTo, inRoom, sleep, startNode, test, until } from '../lib/harness.mjs';

const TOKEN = 'token-token-token';
const headers = { authorization: `Bearer ${TOKEN}` };
const READS = 250;
const ENOUGH = 150; // of them that are answered MOVED

// A figure in this section of INFO, of all servers.
async function sum(it, section, pattern) {
  const texts = await Promise.all(it.servers.map((server) => it.on(server, 'INFO', section)));
  return texts.reduce((all, text) => all + Number(text.match(pattern)?.[1] ?? 0), 0);
}
const moved = (it) => sum(it, 'errorstats', /errorstat_MOVED:count=(\d+)/);
const questions = async (it) =>
  (await sum(it, 'commandstats', /cmdstat_cluster\|nodes:calls=(\d+)/)) +
  (await sum(it, 'commandstats', /cmdstat_cluster\|slots:calls=(\d+)/));

async function namesAt(it, master, kind) {
  const names = range(1, 24).map((i) => `x${i}`);
  const owners = await Promise.all(names.map((name) => it.masterOf(it.key(`${kind}:${name}`))));
  return names.filter((_, i) => owners[i] === master);
}

// All slots of `home` move to its replica while READS questions and a message wait for it.
async function storm({ it, node, ann, home, sent }) {
  const heir = await it.replicaOf(home);
  const [rooms, users] = [await namesAt(it, home, 'room'), await namesAt(it, home, 'user')];
  for (const room of rooms) await ann.emit('join', { room });
  const send = () => {
    const [room, message] = [rooms[sent.length % rooms.length], `m${sent.length}`];
    const answer = ann.emit('sendMessage', { room, message }, { timeout: 20000 });
    sent.push(answer.then(() => null, (error) => error));
  };
  const read = async (_, i) =>
    (await node.get(`/api/v1/users/${users[i % users.length]}`, { headers, timeout: 20000 })).status;
  const [before, asked] = [await moved(it), await questions(it)];
  // The master holds commands until its replica is elected, and answers all of them at once then.
  // The two others whose votes that takes are stopped meanwhile.
  const voters = (await it.masters()).filter((one) => one !== home);
  voters.forEach((one) => one.pause());
  await heir.ask(['CLUSTER', 'FAILOVER']); // not it.failover(), which asks everybody who is who
  const reads = Array.from({ length: READS }, read);
  send();
  const waiting = async () =>
    Number((await node.get('/metrics')).body.match(/^sluice_redis_pending_commands (\d+)/m)[1]) > READS;
  await hasComeTo(waiting, 3000); // after 5 s the master gives up, and answers
  voters.forEach((one) => one.resume());
  let again = Date.now() + 6000;
  const leads = async () => {
    send();
    if (Date.now() > again) {
      again += 6000;
      await heir.ask(['CLUSTER', 'FAILOVER']);
    }
    return (await heir.ask(['ROLE']))[0][0] === 'master';
  };
  await until(leads, { timeout: 20000, what: 'the replica leads' });
  for (let i = 0; i < 20; i++) {
    send();
    await sleep(4);
  }
  const errors = (await Promise.all(sent)).filter(Boolean);
  const statuses = new Set(await Promise.all(reads));
  return { errors, statuses, moved: (await moved(it)) - before, asked: (await questions(it)) - asked };
}

test('all slots of a master move while it is asked for much', async (t) => {
  const it = await startCluster({ replicas: 1, nodeTimeout: 20000 });
  const node = await startNode({ redis: it.url, args: ['--drain', '0', '--admin-token', TOKEN] });
  t.after(async () => {
    await node.stop();
    await it.stop();
  });
  const [ann] = await inRoom([node, node], 'r', 'ann', 'bob');
  const sent = [];
  // Should the new master tell of itself before the old one has answered, the node drops what it has
  // asked the old one, as it must: what that would acknowledge might be lost. Then once more, and so
  // if the machine is too busy for so many questions at once.
  let result = { moved: 0 };
  for (let tries = 0; tries < 8 && result.moved < ENOUGH; tries++) {
    const masters = await it.masters();
    const known = (await Promise.all(sent)).filter(Boolean).length;
    result = await storm({ it, node, ann, home: masters[tries % masters.length], sent });
    result.errors = result.errors.slice(known);
    await it.untilWell();
    await node.untilReady({ timeout: 30000 });
  }
  t.diagnostic(`${result.moved} times MOVED, ${result.asked} questions`);
  assert.ok(result.moved >= ENOUGH, `only ${result.moved} times MOVED`);
  assert.deepEqual(result.errors.map(String), [], 'nobody saw an error');
  assert.ok(!result.statuses.has(503), [...result.statuses].join());
  assert.ok(result.asked < result.moved, `${result.asked} questions`);
  const answers = await Promise.all(sent);
  const wanted = answers.flatMap((error, i) => (error ? [] : [`m${i}`]));
  const all = () => ann.frames.filter(({ event, data }) => event === 'chatMessage' && /^m\d/.test(data.message));
  const count = (message) => all().filter(({ data }) => data.message === message).length;
  await until(() => wanted.every(count), { what: 'all that was acknowledged came' });
  assert.ok(wanted.every((message) => count(message) === 1), 'once');
});
