// An issuer of tokens with public keys, and an https server with its JWK set.

import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import http from 'node:http';
import path from 'node:path';
import { seconds } from './token.mjs';
import { tempDir } from './processes.mjs';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

const ALGORITHMS = {
  RS256: { pair: ['rsa', { modulusLength: 2048 }], digest: 'sha256' },
  PS256: { pair: ['rsa', { modulusLength: 2048 }], digest: 'sha256', pss: true },
  ES256: { pair: ['ec', { namedCurve: 'P-256' }], digest: 'sha256' },
  ES384: { pair: ['ec', { namedCurve: 'P-384' }], digest: 'sha384' },
  EdDSA: { pair: ['ed25519'], digest: null },
};

/*
 * A pair of keys. Has: kid, jwk (the public key; `more` is in it), pem, and token(sub, claims,
 * { header }), a token that it has signed.
 */
export function signer(alg = 'ES256', kid = 'one', more = {}) {
  const { pair, digest, pss } = ALGORITHMS[alg];
  const { publicKey, privateKey } = crypto.generateKeyPairSync(...pair);
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' };
  if (pss) {
    key.padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
    key.saltLength = crypto.constants.RSA_PSS_SALTLEN_DIGEST;
  }
  return {
    kid,
    jwk: { ...publicKey.export({ format: 'jwk' }), ...(kid && { kid }), ...more },
    pem: publicKey.export({ format: 'pem', type: 'spki' }),
    token(sub, claims = {}, { header = {} } = {}) {
      const now = seconds();
      const head = { alg, typ: 'JWT', ...(kid && { kid }), ...header };
      const text = `${part(head)}.${part({ sub, iat: now, exp: now + 3600, ...claims })}`;
      return `${text}.${crypto.sign(digest, Buffer.from(text), key).toString('base64url')}`;
    },
  };
}

const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
const NEW = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// A certificate for these names, from a certificate authority that nobody else knows.
export function certificate(names = ['IP:127.0.0.1', 'DNS:localhost'], { days = 2 } = {}) {
  const dir = tempDir('issuer');
  const file = (leaf) => path.join(dir, leaf);
  openssl('req', '-x509', ...NEW, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-days', '2', '-subj', '/CN=ca');
  fs.writeFileSync(file('ext'), `subjectAltName=${names.join(',')}\n`);
  openssl('req', ...NEW, '-keyout', file('key'), '-out', file('csr'), '-subj', '/CN=issuer');
  openssl('x509', '-req', '-in', file('csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial',
    '-days', String(days), '-extfile', file('ext'), '-out', file('cert'));
  return { caFile: file('ca.pem'), cert: fs.readFileSync(file('cert')), key: fs.readFileSync(file('key')) };
}

/*
 * A server with the keys of these signers at its url. Has: url, args (of a node that fetches from
 * it), requests (how many it has had), stop(), and what a test may change at any time:
 *   signers   whose keys it shows
 *   answer    (request, response) => …: what it does in place of showing them
 * Options: signers; plain: http, not https; tls: another certificate().
 */
export async function issuer({ signers = [], plain = false, tls = certificate() } = {}) {
  const self = { signers, requests: 0, answer: null };
  const listener = (request, response) => {
    self.requests++;
    if (self.answer) return self.answer(request, response);
    response.setHeader('Content-Type', 'application/json');
    return response.end(JSON.stringify({ keys: self.signers.map((one) => one.jwk) }));
  };
  const server = plain ? http.createServer(listener) : https.createServer(tls, listener);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  self.url = `${plain ? 'http' : 'https'}://127.0.0.1:${server.address().port}/keys.json`;
  self.args = ['--jwks-url', self.url, ...(plain ? [] : ['--jwks-ca', tls.caFile])];
  self.stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return self;
}
