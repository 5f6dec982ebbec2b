// build/asan/sluice-conformance (SLUICE_CONFORMANCE: another), and Engine.IO spoken to it by hand.

import assert from 'node:assert/strict';
import path from 'node:path';
import { WebSocket } from 'ws';
import { clients, nodesEver, removeDir, request, started, startProcess, tempDir } from './processes.mjs';
import { ROOT, until, within } from './waiting.mjs';

export const PROGRAM =
  process.env.SLUICE_CONFORMANCE || path.join(ROOT, 'build/asan/sluice-conformance');
const SANITIZERS = /ERROR: AddressSanitizer|LeakSanitizer|runtime error/;
// The arguments for a test that is not about time.
const PATIENT = ['--ping-interval', '25000', '--ping-timeout', '20000', '--connect-timeout', '45000'];

/*
 * Starts the program. args: instead of the patient ones. Has: port, url, log(), get(path),
 * sessions() (how many there are), stop() (fails if a sanitizer spoke).
 */
export async function startConformance({ args = PATIENT } = {}) {
  const dir = tempDir('conformance');
  const child = startProcess(PROGRAM, ['--listen', '127.0.0.1:0', ...args], {
    cwd: dir,
    log: path.join(dir, 'log'),
    env: {
      ...process.env,
      ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99',
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  });
  let finalLog = null;
  const self = {
    id: 'conformance',
    pid: child.pid,
    log: () => finalLog ?? child.output(),
    signal: child.signal,
    get: (where, options) => request(self.url + where, options),
    sessions: async () => (await self.get('/status')).json().sessions,
    async stop() {
      if (!started.delete(self)) return;
      for (const client of clients) if (client.url === self.url) client.terminate();
      const before = child.result;
      const result = await child.end('SIGTERM', 15000);
      finalLog = child.output();
      removeDir(dir);
      assert.equal(before, null, `it ended by itself: ${finalLog}`);
      assert.equal(finalLog.match(SANITIZERS), null, finalLog);
      assert.deepEqual(result, { code: 0, signal: null }, finalLog);
    },
  };
  started.add(self);
  nodesEver.push(self);
  const address = await until(() => child.result || self.log().match(/\baddr=(\S+:(\d+))/), {
    what: 'its address',
  });
  assert.equal(child.result, null, self.log());
  self.port = Number(address[2]);
  self.url = `http://${address[1]}`;
  return self;
}

// The path of a session's requests.
export const at = (where, sid, transport = 'polling') =>
  `/${where}/?EIO=4&transport=${transport}${sid ? `&sid=${sid}` : ''}`;

// A session by long-polling: { sid, open, get(), post(body) }, answers as request() gives them.
export async function poll(program, where = 'engine.io', options = {}) {
  const { status, body } = await program.get(at(where), options);
  assert.equal(status, 200, body);
  assert.equal(body[0], '0', body);
  const open = JSON.parse(body.slice(1));
  const url = at(where, open.sid);
  return {
    ...open,
    open,
    url,
    get: (options) => program.get(url, options),
    post: (text, options) => program.get(url, { method: 'POST', body: text, ...options }),
  };
}

export const packets = (text) => text.split('\x1e');

/*
 * A WebSocket at a path. next(): the next message, a string or a Buffer, but pings ("2") if
 * `pongs`, which are answered. closed(): its end, { code, reason }.
 */
export async function socket(program, where, { pongs = true } = {}) {
  const ws = new WebSocket(program.url.replace('http', 'ws') + where);
  const came = [];
  let end = null;
  const self = { url: program.url, ws, terminate: () => ws.terminate() };
  clients.add(self);
  ws.on('message', (data, binary) => {
    if (!binary && pongs && data.toString() === '2') ws.send('3');
    else came.push(binary ? data : data.toString());
  });
  ws.on('close', (code, reason) => {
    end = { code, reason: reason.toString() };
    clients.delete(self);
  });
  ws.on('error', () => {});
  self.send = (data) => ws.send(data);
  self.next = async () => {
    await until(() => came.length || end, { what: 'a message', every: 2 });
    if (!came.length) throw new Error(`closed: ${JSON.stringify(end)}`);
    return came.shift();
  };
  self.closed = () => until(() => end, { what: 'its end', every: 2 });
  const opened = new Promise((resolve, reject) => {
    ws.once('open', resolve);
    ws.once('unexpected-response', (_, response) => {
      reject(Object.assign(new Error(`status ${response.statusCode}`), { response }));
    });
    ws.once('error', reject);
  });
  opened.catch(() => {});
  await within(opened, 5000, () => `no WebSocket at ${where}`);
  return self;
}
