// A node that has to fetch the key of a token first, and does not get it until it is let.

import crypto from 'node:crypto';
import http from 'node:http';
import { startNode } from './servers.mjs';
import { seconds, SECRET } from './token.mjs';
import { until } from './waiting.mjs';

const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256' };

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// A token by the key that is withheld.
export function signed(sub, claims = {}) {
  const head = part({ alg: 'ES256', kid: 'k1' });
  const text = `${head}.${part({ sub, exp: seconds() + 3600, ...claims })}`;
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' };
  return `${text}.${crypto.sign('sha256', text, key).toString('base64url')}`;
}

// A node whose set of keys does not come until open() is called.
export async function withoutKeys(t, redis, args = []) {
  const waiting = [];
  let opened = false;
  const server = http.createServer((request, response) => {
    const answer = () => response.end(JSON.stringify({ keys: [jwk] }));
    opened ? answer() : waiting.push(answer);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}/keys`;
  const node = await startNode({ redis, args: ['--jwt-secret', SECRET, '--jwks-url', url, ...args] });
  t.after(async () => {
    await node.stop();
    server.closeAllConnections();
    server.close();
  });
  await until(() => waiting.length > 0);
  const open = () => {
    opened = true;
    for (const answer of waiting.splice(0)) answer();
  };
  return { node, open };
}
