// test() with a time limit, and ways to wait that have one.
//
// A limit is for things that never come. It is PATIENCE times the caller's limit, since a machine
// that is busy with other work takes that much longer for everything.

import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { after, test as nodeTest } from 'node:test';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const PATIENCE = Number(process.env.TEST_PATIENCE || 4);
const TEST_MS = 60000 * PATIENCE;

// What the Redis of the tests is: TEST_REDIS=single (the default), managed (one Redis, of which the
// nodes see no more than managed services show: managed.mjs), cluster or managed-cluster.
const [, managed, kindOfAll = 'single'] = /^(managed)?-?(\w*)$/.exec(process.env.TEST_REDIS ?? '');
const MODE = kindOfAll || 'single';
let whyNot = null; // no test of this file runs, and why

// Says that this file's tests run on one kind of Redis alone. Called before anything is started.
export function only(kind, why) {
  if (kind !== MODE) whyNot = `on ${kind === 'single' ? 'one Redis' : 'a Cluster'} only: ${why}`;
}

// Says that this file's tests do not run with managed services, or with the proxy that makes one.
export function unmanaged(why) {
  if (managed) whyNot ??= `not with a managed Redis: ${why}`;
}

// The kind of Redis to start. A file that does not run on a Cluster may still start what its tests
// would share, and needs no Cluster for that.
export const mode = () => (whyNot ? 'single' : MODE);
export const isManaged = () => Boolean(managed && !whyNot);

// node:test's test, given 60 s unless options.timeout says otherwise. options.single says why it
// runs with one Redis only, options.unmanaged why not with a managed one.
export function test(name, options, fn) {
  const [all, body] = typeof options === 'function' ? [{}, options] : [options, fn];
  const { single, unmanaged: whyOwn, ...given } = all;
  const timeout = given.timeout ? given.timeout * PATIENCE : TEST_MS;
  const skip =
    whyNot ??
    ((single && MODE !== 'single' && `on one Redis only: ${single}`) ||
      (whyOwn && managed && `not with a managed Redis: ${whyOwn}`));
  return nodeTest(name, { ...given, ...(skip && { skip }), timeout }, body);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls fn until it returns something truthy, and returns that. A throw counts as "not yet".
export async function until(fn, { timeout = 10000, every = 20, what = String(fn) } = {}) {
  const limit = timeout * PATIENCE;
  const deadline = Date.now() + limit;
  let last;
  for (;;) {
    try {
      last = await fn();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`not within ${limit} ms: ${what} (at last: ${last})`, {
        cause: last instanceof Error ? last : undefined,
      });
    }
    await sleep(every);
  }
}

// Waits for fn as until does, but for exactly `ms`; false if fn returned nothing truthy by then.
export async function hasComeTo(fn, ms, every = 20) {
  const deadline = Date.now() + ms;
  while (!(await fn())) {
    if (Date.now() >= deadline) return false;
    await sleep(every);
  }
  return true;
}

// Calls fn when the last test of the file is over. So no file awaits anything outside of a test after
// its first one.
export function atTheEnd(fn) {
  if (process.argv[1]?.endsWith('.test.mjs')) after(fn);
}

// The limits of waits that go on. A test may end with one that it has given up, as for an error that
// must not come: that wait must not keep the process until its limit.
const limits = new Set();
atTheEnd(() => limits.forEach((timer) => timer.unref()));

function limit(fn, ms) {
  const timer = setTimeout(fn, ms);
  limits.add(timer);
  return timer;
}

function lift(timer) {
  clearTimeout(timer);
  limits.delete(timer);
}

// The promise's result, or a failure with message() after ms.
export function within(promise, ms, message) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = limit(() => reject(new Error(message())), ms * PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => lift(timer));
}

// The promise, keeping this process alive until it is settled or the test's time is over.
export function kept(promise) {
  const timer = limit(() => {}, TEST_MS);
  return promise.finally(() => lift(timer));
}

// Below the ports that the kernel gives to connections. A server that ends for a moment could lose
// one of those to another test's connection, and not come back on it.
const RANGE = '/proc/sys/net/ipv4/ip_local_port_range';
const LOWEST = fs.existsSync(RANGE) ? parseInt(fs.readFileSync(RANGE, 'utf8'), 10) : 32768;
const PORTS = LOWEST >= 20000 ? { from: 10000, to: LOWEST } : { from: 20000, to: 32768 };

// A port of 127.0.0.1 that is free, and stays so while its server is started again.
export async function freePort() {
  for (;;) {
    const port = crypto.randomInt(PORTS.from, PORTS.to);
    const free = await new Promise((resolve) => {
      const server = net.createServer();
      server.on('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
