// Nodes on a Redis Cluster whose clients talk in rooms and topics of all its masters, while something
// happens.

import { login, startNode } from './harness.mjs';
import { startCluster } from './cluster.mjs';
import { judgeChannel } from './loss.mjs';
import { talk, textOf } from './talk.mjs';

const PACE = 10; // ms

/*
 * Two nodes on a Cluster of startCluster(options.cluster), with options.args. In a room and in a topic
 * of each master two clients talk, one at each node; that has begun when it resolves to
 *   { it (the Cluster), nodes, channels, talks }
 *   judge()         as judgeChannel, of all channels: { lost, gap }
 *   others(master)  the talks in channels of other masters
 *   failures()      the errors that talks had so far
 * All is stopped when the test is over.
 */
export async function busy(t, { args = [], cluster: given } = {}) {
  const it = await startCluster(given);
  const nodes = [];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  for (let i = 0; i < 2; i++) nodes.push(await startNode({ redis: it.url, args }));
  const channels = (await Promise.all(['room', 'topic'].map((kind) => oneOfEach(it, kind)))).flat();
  const all = [];
  for (const channel of channels) {
    const [kind, name] = channel.split(':');
    const [event, data] = kind === 'room' ? ['join', { room: name }] : ['subscribe', { channel }];
    // A client's events are handled one after the other, so each channel has clients of its own.
    const users = ['ann', 'bob'].map((user) => `${user}-${kind}-${name}`);
    const clients = await Promise.all(users.map((user, i) => login(nodes[i], user)));
    for (const client of clients) await client.emit(event, data);
    all.push({ channel, clients, talks: clients.map((client) => talk(client, { [kind]: name, pace: PACE })) });
  }
  const talks = all.flatMap((one) => one.talks);
  for (const one of talks) await one.more(10);

  const judge = async () => {
    const judgeOne = (one) => {
      const texts = async () => (await it.log(one.channel)).map(({ frame }) => textOf(frame));
      return judgeChannel({ ...one, texts });
    };
    const results = await Promise.all(all.map(judgeOne));
    const gap = Math.max(...results.map((one) => one.gap));
    return { lost: results.flatMap(({ lost }) => lost), gap };
  };
  const others = async (master) => {
    const ownerOf = ({ channel }) => it.masterOf(it.key(channel)).catch(() => master);
    const owners = await Promise.all(all.map(ownerOf)); // that master may be gone
    return all.filter((_, i) => owners[i] !== master).flatMap((one) => one.talks);
  };
  const failures = () => talks.flatMap((one) => one.failures);
  return { it, nodes, channels, talks, judge, others, failures };
}

// A channel of that kind for each master.
async function oneOfEach(it, kind) {
  const missing = new Set(await it.masters());
  const found = [];
  for (let i = 1; missing.size; i++) {
    const channel = `${kind}:c${i}`;
    if (missing.delete(await it.masterOf(it.key(channel)))) found.push(channel);
  }
  return found;
}
