// What each of them does to open connections, and to answer: subscribe(i) and publisher(i) give
// { end }, the latter also publish(text, done). delivered() is called for each message that comes.

import http from 'node:http';
import { open, poll } from './socket.mjs';

// A connection whose requests are answered: ask(text(id), done). What is no answer goes to `other`.
async function asking(opening, port, path, idOf, other) {
  const waiting = new Map();
  let count = 0;
  const self = await opening(port, path, (payload, say) => {
    const id = idOf(payload);
    if (id === undefined) return other(payload, say);
    waiting.get(id)?.();
    return waiting.delete(id);
  });
  self.ask = (text, done) => {
    waiting.set(++count, done);
    self.say(text(count));
  };
  return self;
}
const asked = (self, text) => new Promise((resolve) => self.ask(text, resolve));
const number = (payload, from) => parseInt(payload.toString('latin1', from, from + 12), 10);

export function sluice(ports, delivered) {
  let users = 0;
  const client = async (i, text) => {
    const idOf = (payload) => (payload[2] === 0x61 ? number(payload, 7) : undefined); // {"ack":
    const self = await asking(open, ports[i % ports.length], '/ws', idOf, delivered);
    const user = ++users;
    await asked(self, (id) => `{"event":"login","data":{"userId":"u${user}"},"ack":${id}}`);
    if (text) await asked(self, text);
    return self;
  };
  const event = (name, data) => (id) => `{"event":"${name}","data":${data},"ack":${id}}`;
  return {
    idle: (i) => open(ports[i % ports.length], '/ws', () => {}),
    subscribe: (i) => client(i, event('subscribe', '{"channel":"topic:t"}')),
    publisher: async (i) => {
      const self = await client(i);
      const publish = (text, done) =>
        self.ask(event('publish', `{"channel":"topic:t","data":"${text}"}`), done);
      return { ...self, publish };
    },
  };
}

// Sluice by its Socket.IO door, and Socket.IO on Node, which knows the same events: the same packets
// to both, on WebSockets or by polling. (Who publishes has a WebSocket.)
function socketioBy(opening, transport) {
  return (ports, delivered) => {
    let users = 0;
    const client = async (i, way = opening, kind = transport) => {
      let greeted;
      const ready = new Promise((resolve) => (greeted = resolve));
      const idOf = (payload) =>
        payload[0] === 0x34 && payload[1] === 0x33 ? number(payload, 2) : undefined; // 43ID[]
      const other = (payload, say) => {
        if (payload[0] === 0x30) say('40'); // connect to the namespace /
        else if (payload[0] === 0x32) say('3'); // pong
        else if (payload[1] === 0x30) greeted();
        else if (payload[0] === 0x34) delivered();
      };
      const path = `/socket.io/?EIO=4&transport=${kind}`;
      const self = await asking(way, ports[i % ports.length], path, idOf, other);
      await ready;
      return self;
    };
    const event = (name, data) => (id) => `42${id}["${name}",${data}]`;
    const login = (self) => asked(self, event('login', `{"userId":"u${++users}"}`));
    return {
      idle: (i) => client(i),
      subscribe: async (i) => {
        const self = await client(i);
        await login(self);
        await asked(self, event('subscribe', '{"channel":"topic:t"}'));
        return self;
      },
      publisher: async (i) => {
        const self = await client(i, open, 'websocket');
        await login(self);
        const publish = (text, done) =>
          self.ask(event('publish', `{"channel":"topic:t","data":"${text}"}`), done);
        return { ...self, publish };
      },
    };
  };
}
export const socketio = socketioBy(open, 'websocket');
export const polling = socketioBy(poll, 'polling');

export function nchan([port], delivered) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
  const publish = (text, done) => {
    const headers = { 'content-length': text.length };
    const options = { port, host: '127.0.0.1', path: '/pub', method: 'POST', agent, headers };
    const request = http.request(options, (answer) => answer.resume().on('end', done));
    request.on('error', done).end(text);
  };
  return {
    idle: (i) => open(port, `/sub/${i}`, () => {}),
    subscribe: () => open(port, '/sub/t', delivered),
    publisher: async () => ({ publish, end: () => agent.destroy() }),
  };
}
