// The API of nodes, as a back end uses it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { request, tempDir } from './processes.mjs';

export const KEY = 'the-api-key-of-the-tests-with-over-32-bytes';
export const bearer = (key) => ({ authorization: `Bearer ${key}` });
export const keyOf = (name) => `${name}-has-a-key-that-is-over-32-bytes-long`;

// The options of a node with the key above; `rights`: of further keys, by name (keyOf).
export function withKeys(rights = {}) {
  const file = path.join(tempDir('keys'), 'keys');
  writeKeys(file, rights);
  return { args: ['--api-keys', file], env: { SLUICE_API_KEY: KEY }, file };
}

export function writeKeys(file, rights) {
  const lines = Object.entries(rights).map(([name, right]) => `${name} ${keyOf(name)} ${right}\n`);
  fs.writeFileSync(file, lines.join(''));
}

// Calls the API of a node. Resolves to the answer; `good` asserts 200 and gives what it says.
export function caller(node, { key = KEY } = {}) {
  const call = (method, where, body, { headers = {}, key: other = key } = {}) =>
    request(`${node.url}/api/v1${where}`, {
      method,
      headers: { ...bearer(other), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const good = async (...args) => {
    const answer = await call(...args);
    assert.equal(answer.status, 200, `${args[0]} ${args[1]}: ${answer.status} ${answer.body}`);
    return answer.json();
  };
  return { call, good };
}

export function isRefusal(answer, status, code, field) {
  assert.equal(answer.status, status, answer.body);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const { error } = answer.json();
  assert.equal(error.code, code, answer.body);
  assert.equal(error.field, field, answer.body);
  assert.equal(typeof error.message, 'string');
  return error;
}
