// Nodes on a Redis Cluster whose clients talk in rooms of all its masters, while something happens.

import { login, startNode } from './harness.mjs';
import { startCluster } from './cluster.mjs';
import { judgeRoom } from './loss.mjs';
import { talk, textOf } from './talk.mjs';

const ROOMS = 6;

/*
 * Two nodes on a Cluster of startCluster(options.cluster), with options.args. In each of some rooms,
 * two of each master, ann and bob talk, one at each node; that has begun when it resolves to
 *   { it (the Cluster), nodes, clients, rooms, talks }
 *   judge()         as judgeRoom, of all rooms: { lost, gap }
 *   others(master)  the talks in rooms of other masters
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
  const clients = await Promise.all(['ann', 'bob'].map((user, i) => login(nodes[i], user)));
  const rooms = await roomsOfAll(it);
  const inRooms = [];
  for (const room of rooms) {
    for (const client of clients) await client.emit('join', { room });
    inRooms.push({ room, talks: clients.map((client) => talk(client, { room })) });
  }
  const talks = inRooms.flatMap((one) => one.talks);
  for (const one of talks) await one.more(10);

  const judge = async () => {
    const all = [];
    for (const one of inRooms) {
      const texts = async () => (await it.log(`room:${one.room}`)).map(({ frame }) => textOf(frame));
      all.push(await judgeRoom({ ...one, texts, clients }));
    }
    return { lost: all.flatMap(({ lost }) => lost), gap: Math.max(...all.map(({ gap }) => gap)) };
  };
  const others = async (master) => {
    const ownerOf = (room) => it.masterOf(it.key(`room:${room}`)).catch(() => master);
    const owners = await Promise.all(rooms.map(ownerOf)); // that master may be gone
    return inRooms.filter((_, i) => owners[i] !== master).flatMap((one) => one.talks);
  };
  const failures = () => talks.flatMap((one) => one.failures);
  return { it, nodes, clients, rooms, talks, judge, others, failures };
}

// Names of rooms, as many of each master.
async function roomsOfAll(it) {
  const masters = await it.masters();
  const rooms = new Map(masters.map((master) => [master, []]));
  for (let i = 1; [...rooms.values()].flat().length < ROOMS; i++) {
    const mine = rooms.get(await it.masterOf(it.key(`room:r${i}`)));
    if (mine.length < ROOMS / masters.length) mine.push(`r${i}`);
  }
  return [...rooms.values()].flat();
}
