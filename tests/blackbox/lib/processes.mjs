// Child processes and temporary directories, and the end of all that was started.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { atTheEnd, PATIENCE, ROOT, within } from './waiting.mjs';

const LOG_TAIL_LINES = 200;

export const started = new Set(); // nodes and Redis servers, in order
export const clients = new Set();
const directories = new Set();
export const nodesEver = [];

export function tempDir(name = 'dir') {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), `sluice-test-${name}-`));
  directories.add(dir);
  return dir;
}

export function removeDir(dir) {
  fs.rmSync(dir, { recursive: true, force: true });
  directories.delete(dir);
}

// Ends every client, then nodes, then Redis; throws the first failure when all are gone.
export async function stopAll() {
  for (const client of clients) client.terminate();
  const failures = [];
  for (const one of [...started].reverse()) {
    await one.stop().catch((error) => failures.push(error));
  }
  if (failures.length) throw failures[0];
}

// A test that failed in the middle has left clients, and those of Socket.IO would keep the process
// for ever. What else keeps it for minutes is told of, and ended.
atTheEnd(() => {
  for (const client of clients) client.terminate();
  const tell = () => {
    console.error(`still here after the last test: ${process.getActiveResourcesInfo().join()}`);
    process.exit(1);
  };
  setTimeout(tell, 45000 * PATIENCE).unref();
});

process.on('beforeExit', () => {
  if (!started.size && !clients.size) return;
  stopAll().catch((error) => {
    console.error(`at the end: ${error.stack}`);
    process.exitCode = 1;
  });
});

process.on('exit', (code) => {
  if (code || process.exitCode) showLogs();
  for (const one of started) one.signal('SIGKILL');
  for (const dir of directories) removeDir(dir);
  if (process.env.TEST_TELLS_ITS_END) {
    fs.writeSync(1, `at its end: ${code || process.exitCode || 0}\n`); // tests/run reads it
  }
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}

function showLogs() {
  for (const node of nodesEver) {
    const lines = node.log().trimEnd().split('\n');
    const tail = lines.slice(-LOG_TAIL_LINES);
    const part = lines.length > tail.length ? `, the last ${tail.length} of ${lines.length} lines` : '';
    fs.writeSync(2, `---- log of node ${node.id} (pid ${node.pid}${part})\n${tail.join('\n')}\n`);
  }
}

// A child whose output goes to a file: { pid, exited, result, output(), signal(), end() }.
export function startProcess(command, args, { env, log, cwd }) {
  const fd = fs.openSync(log, 'a');
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', fd, fd] });
  fs.closeSync(fd);
  child.unref();
  const self = { pid: child.pid, result: null };
  self.exited = new Promise((resolve) => {
    child.on('error', (error) => resolve((self.result = { code: null, signal: null, error })));
    child.on('exit', (code, signal) => resolve((self.result = { code, signal })));
  });
  self.output = () => (fs.existsSync(log) ? fs.readFileSync(log, 'utf8') : '');
  self.signal = (name) => self.result === null && child.kill(name);
  // Sends a signal and waits for the end; after `ms` kills the process and throws.
  self.end = async (name, ms) => {
    self.signal(name);
    try {
      const late = () => `${command} was still there ${ms} ms after ${name}`;
      return await within(self.exited, ms, late);
    } catch (error) {
      self.signal('SIGKILL');
      await within(self.exited, 5000, () => `${command} survived SIGKILL`);
      throw error;
    }
  };
  return self;
}

// MiB of memory that a process has; `what`: VmRSS now, VmHWM at most so far.
export function memory({ pid }, what) {
  const [, kilobytes] = fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(`${what}:\\s+(\\d+)`);
  return Number(kilobytes) / 1024;
}

// The path of the first of these commands that this machine has, or null. TEST_REDIS_BIN is a
// directory with the programs of another Redis or of Valkey.
export function findProgram(...names) {
  const dirs = [process.env.TEST_REDIS_BIN ?? [], process.env.PATH, '/usr/local/sbin:/usr/sbin:/sbin', `${ROOT}/build/tools`];
  for (const dir of dirs.flat().join(':').split(':')) {
    for (const name of names) {
      const file = path.join(dir, name);
      if (fs.existsSync(file)) return file;
    }
  }
  return null;
}

// One HTTP request on a connection of its own; resolves to { status, headers, body, json() }. tls:
// options of node:tls for an https URL.
export function request(url, { method = 'GET', headers = {}, body, timeout = 5000, tls } = {}) {
  const limit = timeout * PATIENCE;
  const answer = new Promise((resolve, reject) => {
    const settings = { ...tls, method, headers, agent: false, timeout: limit };
    const { request: begin } = url.startsWith('https:') ? https : http;
    const req = begin(url, settings, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const json = () => JSON.parse(text);
        resolve({ status: res.statusCode, headers: res.headers, body: text, json });
      });
    });
    req.on('timeout', () => req.destroy(new Error(`${method} ${url}: silent for ${limit} ms`)));
    req.on('error', reject);
    req.end(body);
  });
  return answer;
}
