// Official clients of Socket.IO that come back by themselves, and the messages that they must have.

import assert from 'node:assert/strict';
import { login, sleep, until } from './harness.mjs';
import { at, socket as rawSocket } from './conformance.mjs';
import { startDoor } from './roaming.mjs';
import { beside, emit, front, once } from './socketio.mjs';

// Nodes that notice soon when something is gone.
export const QUICK = [
  ...['--lease-timeout', '1s', '--lease-interval', '200ms', '--drain', '300ms'],
  ...['--socketio-ping-interval', '2s', '--socketio-ping-timeout', '2s'],
];
const COMES_BACK = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 200 };
const LOGGED = ['chatMessage', 'new_private_message', 'message'];

/*
 * The official client behind a door of its own, logged in as `user` (null: not), that comes back
 * by itself. It is the client's socket, as front() gives it, with: door, user, ack (the login's),
 * pid, heard (all that came, in order: { event, data, offset }, the offset undefined if there
 * was no argument), comings (one { recovered, id } for each time it was connected).
 * Options: nsp, fields (of the login), straight (it has no door), any of the client's. Closed when
 * the test is over.
 */
export async function guest(t, node, user, { fields = {}, straight, ...options } = {}) {
  const door = straight ? null : await startDoor(node);
  const where = { url: door ? `http://127.0.0.1:${door.port}` : node.url };
  const socket = await front(where, { transports: ['websocket'], ...COMES_BACK, ...options });
  t.after(() => {
    socket.end();
    door?.close();
  });
  return enterAs(watch(socket, door), user, fields);
}

// Another namespace on that guest's connection: as guest().
export async function guestBeside(t, other, nsp, user, fields = {}) {
  const socket = beside(other, nsp);
  t.after(() => socket.disconnect());
  await once(socket, 'connect');
  return enterAs(watch(socket, other.door), user, fields);
}

function watch(socket, door) {
  Object.assign(socket, { door, heard: [], comings: [] });
  const come = () => socket.comings.push({ recovered: socket.recovered, id: socket.id });
  come();
  socket.on('connect', come);
  socket.onAny((event, data, offset, ...rest) => {
    socket.heard.push({ event, data, offset, rest });
  });
  Object.defineProperty(socket, 'pid', { get: () => socket._pid });
  return socket;
}

async function enterAs(socket, user, fields) {
  if (user === null) return socket;
  socket.user = user;
  socket.ack = await emit(socket, 'login', { userId: user, ...fields });
  return socket;
}

// How a transport ends without the client's will. Each leaves the client's door closed.
export const ENDS = {
  'the connection is reset': (socket) => {
    socket.door.refusing = true;
    socket.door.cut();
  },
  'the client closes the transport': async (socket) => {
    socket.io.reconnectionDelay(400); // at least half of that
    socket.io.engine.close();
    await sleep(50); // polling ends its session by a request
    socket.door.refusing = true;
    socket.io.reconnectionDelay(COMES_BACK.reconnectionDelay);
  },
  'the line is dead': async (socket) => {
    if (socket.door.links().length) socket.door.stall();
    socket.door.refusing = true;
    socket.io.engine.close();
    await sleep(50); // the request by which polling tells of it is refused, too
  },
};

// Cuts it off and keeps it out; resolves when the client has noticed.
export async function away(socket, end = ENDS['the connection is reset']) {
  await end(socket);
  await until(() => !socket.connected, { what: `${socket.user} is cut off` });
}

// Lets it in again, to `node` if given; resolves to whether it was recovered.
export async function back(socket, node, { timeout = 20000 } = {}) {
  const times = socket.comings.length;
  if (node) socket.door.to(node);
  socket.door.refusing = false;
  await until(() => socket.comings.length > times, { timeout, what: `${socket.user} is back` });
  return socket.comings.at(-1).recovered;
}

/*
 * away() and back(), which must be recovered: the same sid and pid. `meanwhile` is called in
 * between.
 */
export async function comeBack(socket, node, { end, meanwhile = () => {} } = {}) {
  const { id, pid } = socket;
  await away(socket, end);
  await meanwhile();
  assert.equal(await back(socket, node), true, `${socket.user} is recovered`);
  assert.deepEqual([socket.id, socket.pid], [id, pid]);
}

// The same, but it must not be recovered, and must be a new client's connection.
export async function comeBackUnknown(socket, node, { end, meanwhile = () => {} } = {}) {
  const { id, pid } = socket;
  await away(socket, end);
  await meanwhile();
  assert.equal(await back(socket, node), false, `${socket.user} is not recovered`);
  await assertStranger(socket, { id, pid });
}

export async function assertStranger(socket, { id, pid }) {
  assert.notEqual(socket.id, id);
  assert.notEqual(socket.pid, pid);
  assert.equal(typeof socket.pid, 'string');
  const refused = assert.rejects(emit(socket, 'sendMessage', 'x'), { code: 'not_logged_in' });
  await assert.rejects(emit(socket, 'login', { userId: '' }), { code: 'bad_field' });
  await refused; // it waits for a login, and fails with it
}

/*
 * The messages where a guest listens: in a room, to it alone, in a topic. `speaker` is a client of
 * /ws. said: { room, private, topic }, the texts so far, that the guest must have, each once and in
 * this order, whatever happens to it.
 */
export class Scene {
  said = { room: [], private: [], topic: [] };
  #n = 0;

  // The guest and the speaker, which connects to `node`, enter the room and the topic of that name.
  static async of(t, node, guest, name = guest.user) {
    const scene = Object.assign(new Scene(), { guest, name });
    scene.speaker = await login(node, `speaker-${name}`);
    t.after(() => scene.speaker.terminate());
    await scene.speaker.emit('join', { room: name });
    await emit(guest, 'join', { room: name });
    await emit(guest, 'subscribe', { channel: `topic:${name}` });
    return scene;
  }

  // `count` more in each of these.
  async say(count = 1, where = ['room', 'private', 'topic'], pad = '') {
    const { speaker, name } = this;
    const ways = {
      room: (text) => ['sendMessage', { room: name, message: text }],
      private: (text) => ['private_message', { receiverId: this.guest.user, content: text }],
      topic: (text) => ['publish', { channel: `topic:${name}`, data: text }],
    };
    for (let i = 0; i < count; i++) {
      const acks = where.map((kind) => {
        const text = `${name} ${kind} ${++this.#n}${pad}`;
        this.said[kind].push(text);
        return speaker.emit(...ways[kind](text));
      });
      await Promise.all(acks);
    }
  }

  // The guest speaks in the room, and hears itself.
  async guestSays(text) {
    this.said.room.push(text);
    await emit(this.guest, 'sendMessage', { room: this.name, message: text });
  }

  // The messages of it that the guest has.
  heard() {
    const { guest, name } = this;
    const of = (event, mine, text) =>
      guest.heard.filter((one) => one.event === event && mine(one.data)).map((one) => text(one.data));
    return {
      room: of('chatMessage', ({ room }) => room === name, ({ message }) => message),
      private: of('new_private_message', () => true, ({ content }) => content),
      topic: of('message', (data) => String(data).startsWith(`${name} topic `), (data) => data),
    };
  }

  /*
   * The guest hears new messages, and has every message once and in order: missed messages come
   * before live ones.
   */
  async check(where = ['room', 'private', 'topic']) {
    await this.say(1, where);
    const last = where.map((kind) => [kind, this.said[kind].at(-1)]);
    const come = () => last.every(([kind, text]) => this.heard()[kind].includes(text));
    await until(come, { timeout: 20000, what: `${this.name}: ${last.join()} have come` }).catch(
      (error) => {
        assert.deepEqual(this.heard(), this.said, error.message);
        throw error;
      },
    );
    assert.deepEqual(this.heard(), this.said);
    const { guest, name } = this;
    const mine = ({ event, data }) => event === 'new_private_message' || data.room === name;
    for (const event of ['chatMessage', 'new_private_message']) {
      const all = guest.heard.filter((one) => one.event === event && mine(one));
      assertRising(
        all.map(({ data }) => data.seq),
        event,
      );
    }
  }
}

function assertRising(seqs, what) {
  seqs.forEach((seq, i) => assert.ok(i === 0 || seq > seqs[i - 1], `${what}: ${seqs}`));
}

// Every logged event has an offset, and no other event has an argument that the client would take
// for one.
export function assertOffsets({ heard }) {
  assert.ok(heard.length > 0);
  for (const one of heard) {
    const what = JSON.stringify(one);
    assert.deepEqual(one.rest, [], what);
    const logged = LOGGED.includes(one.event) && one.offset !== null;
    if (logged) assert.ok(typeof one.offset === 'string' && one.offset !== '', what);
    else if (typeof one.data === 'string') assert.equal(one.offset, null, what);
    else assert.ok(one.offset === undefined || one.offset === null, what);
  }
}

/*
 * Socket.IO by hand, over a WebSocket: joins the namespace with this auth (text as it is) and
 * resolves to { sid, pid, packet, next(), send(), emit(event, data), closed(), terminate() }.
 */
export async function claim(node, auth, { nsp = '/' } = {}) {
  const raw = await rawSocket(node, at('socket.io', null, 'websocket'));
  await raw.next();
  const head = nsp === '/' ? '' : `${nsp},`;
  const text = auth === undefined || typeof auth === 'string' ? auth : JSON.stringify(auth);
  raw.send(`40${head}${text ?? ''}`);
  const packet = await raw.next();
  assert.ok(packet.startsWith(`40${head}{`), packet);
  const answer = JSON.parse(packet.slice(2 + head.length));
  let acks = 0;
  // The ack's arguments; packets before it are skipped.
  const ask = async (event, data) => {
    const id = ++acks;
    raw.send(`42${head}${id}${JSON.stringify([event, data])}`);
    for (;;) {
      const next = await raw.next();
      if (next.startsWith(`43${head}${id}[`)) return JSON.parse(next.slice(`43${head}${id}`.length))[0];
    }
  };
  return Object.assign(raw, { packet, emit: ask, sid: answer.sid, pid: answer.pid });
}

export const sessionKey = (pid) => `sluice:{sio:${pid}}`;

// Waits until Redis has forgotten the session.
export const forgotten = (redis, pid, how) =>
  until(async () => (await redis.cli('EXISTS', sessionKey(pid))) === '0', how);
