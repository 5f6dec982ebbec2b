// test() with a time limit, and ways to wait that have one.

import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { test as nodeTest } from 'node:test';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TEST_SECONDS = Number(process.env.TEST_TIMEOUT || 60);

// node:test's test, given 60 s (TEST_TIMEOUT) unless options.timeout says otherwise.
export function test(name, options, fn) {
  const [given, body] = typeof options === 'function' ? [{}, options] : [options, fn];
  return nodeTest(name, { timeout: TEST_SECONDS * 1000, ...given }, body);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls fn until it returns something truthy, and returns that. A throw counts as "not yet".
export async function until(fn, { timeout = 10000, every = 20, what = String(fn) } = {}) {
  const deadline = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      last = await fn();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`not within ${timeout} ms: ${what} (at last: ${last})`, {
        cause: last instanceof Error ? last : undefined,
      });
    }
    await sleep(every);
  }
}

// The promise's result, or a failure with message() after ms.
export function within(promise, ms, message) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// The promise, keeping this process alive until it is settled or the test's time is over.
export function kept(promise) {
  const timer = setTimeout(() => {}, TEST_SECONDS * 1000);
  return promise.finally(() => clearTimeout(timer));
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
