// The Socket.IO clients of Python, as Debian has them, each in a process of its own.

import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { clients } from './processes.mjs';
import { kept, ROOT, until } from './waiting.mjs';

const PYTHON = '/usr/bin/python3'; // Debian's packages are for this one
const PROGRAM = path.join(ROOT, 'tests/blackbox/lib/socketio_client.py');
export const KINDS = ['sync', 'async'];

const pack = (value) =>
  Buffer.isBuffer(value)
    ? { $bytes: value.toString('base64') }
    : Array.isArray(value)
      ? value.map(pack)
      : value && typeof value === 'object'
        ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, pack(one)]))
        : value;

const unpack = (_, value) => (value?.$bytes === undefined ? value : Buffer.from(value.$bytes, 'base64'));

/*
 * Starts a client, connected (with the namespaces of `wait`) when it resolves. next(key, match):
 * the next line that has this key, each given once. emit(event, ...args) resolves to the ack's
 * arguments, send() asks for none, event(name) gives an event's arguments; on(nsp) has these
 * three for another namespace. end() disconnects, and resolves to the exit code.
 */
export async function python(
  node,
  { kind = 'sync', transports = ['websocket'], namespaces = ['/'], auth = null, wait = namespaces } = {},
) {
  const args = [PROGRAM, kind, node.url, transports.join(), namespaces.join(), JSON.stringify(auth)];
  const child = spawn(PYTHON, ['-u', ...args], { stdio: 'pipe' });
  const lines = [];
  const self = { url: node.url, result: null, terminate: () => child.kill('SIGKILL') };
  let errors = '';
  let acks = 0;
  clients.add(self);
  child.stderr.on('data', (data) => (errors += data));
  child.on('close', (code, signal) => {
    self.result = { code, signal };
    clients.delete(self);
  });
  child.stdin.on('error', () => {}); // the client is gone, which next() reports
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line, unpack));
  });
  const write = (command) => child.stdin.write(`${JSON.stringify(pack(command))}\n`);

  self.next = async (key, match = () => true, timeout = 15000) => {
    const wanted = (line) => key in line && match(line);
    const found = () => lines.findIndex(wanted) >= 0 || self.result;
    await kept(until(found, { timeout, every: 5, what: `${key}, got ${JSON.stringify(lines)} ${errors}` }));
    const at = lines.findIndex(wanted);
    if (at < 0) throw new Error(`it ended: ${JSON.stringify(self.result)} ${JSON.stringify(lines)} ${errors}`);
    return lines.splice(at, 1)[0];
  };
  self.on = (nsp) => ({
    send: (event, ...data) => write({ emit: event, data, nsp }),
    emit: async (event, ...data) => {
      const ack = ++acks;
      write({ emit: event, data, nsp, ack });
      return (await self.next('ack', (line) => line.ack === ack)).args;
    },
    event: async (name) => {
      const line = await self.next('event', (one) => one.event === name && one.nsp === nsp);
      return line.args;
    },
  });
  Object.assign(self, self.on('/'));
  self.end = async () => {
    write({ disconnect: true });
    await kept(until(() => self.result, { what: 'the Python client ends' }));
    return self.result.code;
  };
  for (const nsp of wait) self.connected = await self.next('connected', (line) => line.connected === nsp);
  return self;
}
