// A private certificate authority, made with openssl for each test file, and TLS between sockets.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { startNode, startRedis } from './servers.mjs';
import { freePort } from './waiting.mjs';
import { tempDir } from './processes.mjs';

const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// So many days from now, as openssl wants it.
const date = (days) =>
  `${new Date(Date.now() + days * 86400000).toISOString().replace(/\.\d+|[-:T]/g, '')}`;

/*
 * Has: ca (the text), caFile, issue(options). Options of issue:
 *   names    of the certificate: ['IP:127.0.0.1', 'DNS:localhost'] is the default
 *   days     for which it is valid; below 0: it expired so long ago
 *   subject  its common name, by which a test can tell two apart
 * It resolves to { cert, key, certFile, keyFile, args: of a node that shows it }.
 */
export function authority(name = 'Private CA') {
  const dir = tempDir('ca');
  const file = (leaf) => path.join(dir, leaf);
  const caFile = file('ca.pem');
  const subject = `/CN=${name}`;
  fs.writeFileSync(file('index.txt'), '');
  fs.writeFileSync(
    file('ca.conf'),
    ['[ca]', 'default_ca = own', '[own]', `new_certs_dir = ${dir}`, `database = ${file('index.txt')}`,
      'rand_serial = yes', 'default_md = sha256', 'policy = any', 'unique_subject = no', '[any]',
      'commonName = supplied', ''].join('\n'),
  );
  openssl('req', '-x509', ...CURVE, '-keyout', file('ca.key'), '-out', caFile, '-days', '30', '-subj', subject);
  let count = 0;
  return {
    caFile,
    ca: fs.readFileSync(caFile, 'utf8'),
    issue({ names = ['IP:127.0.0.1', 'DNS:localhost'], days = 30, subject: cn = 'node' } = {}) {
      const leaf = file(`${++count}`);
      const [certFile, keyFile] = [`${leaf}.pem`, `${leaf}.key`];
      fs.writeFileSync(`${leaf}.ext`, `subjectAltName=${names.join(',')}\n`);
      openssl('req', ...CURVE, '-keyout', keyFile, '-out', `${leaf}.csr`, '-subj', `/CN=${cn}`);
      openssl('ca', '-batch', '-notext', '-config', file('ca.conf'), '-cert', caFile,
        '-keyfile', file('ca.key'), '-in', `${leaf}.csr`, '-extfile', `${leaf}.ext`,
        '-startdate', date(-30), '-enddate', date(days), '-out', certFile);
      const [cert, key] = [certFile, keyFile].map((one) => fs.readFileSync(one, 'utf8'));
      return { cert, key, certFile, keyFile, args: ['--tls-cert', certFile, '--tls-key', keyFile] };
    },
  };
}

/*
 * Nodes that speak TLS, and a Redis: { ca, own (what issue() gave), redis, nodes, stop }.
 * `issue` are options for the nodes' certificate; `args`, `env` are the nodes'.
 */
export async function secureCluster({ nodes = 1, args = [], issue, ...options } = {}) {
  const ca = authority();
  const own = ca.issue(issue);
  const redis = await startRedis();
  const all = await Promise.all(
    Array.from({ length: nodes }, () =>
      startNode({ redis, tls: { ca: ca.ca }, args: [...own.args, ...args], ...options }),
    ),
  );
  return {
    ca,
    own,
    redis,
    nodes: all,
    async stop() {
      for (const node of all) await node.stop('SIGINT');
      await redis.stop();
    },
  };
}

// A Redis that also speaks TLS: as startRedis, with tlsUrl. The certificate is one of issue().
export async function startSecureRedis({ certFile, keyFile }, { clientCa } = {}) {
  const port = await freePort();
  const redis = await startRedis({
    config: {
      'tls-port': port,
      'tls-cert-file': certFile,
      'tls-key-file': keyFile,
      'tls-auth-clients': clientCa ? 'yes' : 'no',
      ...(clientCa && { 'tls-ca-cert-file': clientCa }),
    },
  });
  return Object.assign(redis, { tlsPort: port, tlsUrl: `rediss://localhost:${port}/0` });
}

/*
 * Speaks TLS in front of a Redis, as `server` (options of node:tls) says. Has: port, opened (how
 * many connections asked), refused (errors of handshakes), close().
 */
export async function tlsProxy({ port }, server) {
  const sockets = new Set();
  const proxy = { opened: 0, refused: [] };
  const keep = (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.unref();
  };
  const listener = tls.createServer(server, (client) => {
    const upstream = net.connect(port, '127.0.0.1');
    keep(client);
    keep(upstream);
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  listener.on('connection', () => proxy.opened++);
  listener.on('tlsClientError', (error) => proxy.refused.push(error));
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  listener.unref();
  return Object.assign(proxy, {
    port: listener.address().port,
    close() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}

// A TLS connection to a node, open: node's own TLSSocket, with `received`, all that came as text,
// and `ticket`, with which its session can be resumed.
export function secureDial(node, options = {}) {
  const socket = tls.connect({ port: node.port, host: '127.0.0.1', ca: node.tls.ca, ...options });
  socket.received = '';
  socket.on('session', (ticket) => (socket.ticket = ticket));
  socket.setEncoding('latin1');
  socket.on('data', (text) => (socket.received += text));
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => {
      socket.removeListener('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

// The first bytes that such a client (options of node:tls) sends: its ClientHello.
export async function helloOf(options = {}) {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = tls.connect({ port: server.address().port, host: '127.0.0.1', ...options });
  client.on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [hello] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

// The value of a metric of a node, given with its labels.
export async function metricOf(node, name) {
  const { body } = await node.get('/metrics');
  const line = body.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line.slice(name.length + 1));
}

// How many handshakes of a node ended so.
export const handshakes = (node, result) =>
  metricOf(node, `sluice_tls_handshakes_total{result="${result}"}`);
