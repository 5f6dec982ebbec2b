// Tokens for tests (JWT, RFC 7519), made by node:crypto alone: nothing of Sluice's own checks them
// here.

import crypto from 'node:crypto';

// 32 bytes, for --jwt-secret. A node with these arguments has identity on.
export const SECRET = 'a secret of tests, at least 32 bytes';
export const IDENTITY = ['--jwt-secret', SECRET];

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
export const seconds = () => Date.now() / 1000;

/*
 * A token of this user: sub, iat (now), exp (in an hour), and the claims, which win over those; one
 * that is undefined is left out. Options:
 *   ttl      seconds until exp
 *   secret   another one
 *   header   further members of the header, or others than { alg: 'HS256', typ: 'JWT' }
 */
export function token(sub, claims = {}, { ttl = 3600, secret = SECRET, header = {} } = {}) {
  const now = seconds();
  const all = { sub, iat: now, exp: now + ttl, ...claims };
  const text = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part(all)}`;
  return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
}

// A token with these rights in place of the defaults of the option `grants`:
// allowed('ann', { rooms: ['a', 'b*'] }).
export const allowed = (sub, rights, options) => token(sub, { sluice: rights }, options);

// A token that somebody has changed after it was signed.
export function forged(sub, claims = {}) {
  const [head, , mark] = token('somebody').split('.');
  return `${head}.${part({ sub, exp: seconds() + 3600, ...claims })}.${mark}`;
}
