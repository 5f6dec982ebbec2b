// nginx in front of nodes, with the files of deploy/nginx.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, request, startProcess, tempDir } from './processes.mjs';
import { onFreePort } from './redis.mjs';
import { cluster } from './servers.mjs';
import { ROOT, until } from './waiting.mjs';

export const NGINX_FILES = path.join(ROOT, 'deploy/nginx');

const UPSTREAM = path.join(ROOT, 'scripts/nginx-upstream');

// An edit of upstream.conf, after which each node in turn gets a connection.
export const inTurn = (text) => text.replace('least_conn;', '');

// upstream.conf for these nodes: { port }, or { address } as nginx has it.
function upstreamConf(nodes) {
  const addresses = nodes.map(({ address, port }) => address ?? `127.0.0.1:${port}`);
  return execFileSync(UPSTREAM, addresses, { encoding: 'utf8' });
}

// A directory that nginx can be started in: { dir, args }. `settings` edits the text of sluice.conf;
// `files` has further files, name → text.
export function nginxDir({ upstream, listen, settings = (text) => text, files = {} }) {
  const dir = tempDir('nginx');
  fs.chmodSync(dir, 0o711); // its workers run as another user when root starts it
  for (const name of ['nginx.conf', 'sluice.conf']) {
    fs.copyFileSync(path.join(NGINX_FILES, name), path.join(dir, name));
  }
  const server = path.join(dir, 'sluice.conf');
  fs.writeFileSync(server, settings(fs.readFileSync(server, 'utf8')));
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
  }
  fs.writeFileSync(path.join(dir, 'upstream.conf'), upstream);
  fs.writeFileSync(path.join(dir, 'listen.conf'), listen);
  return { dir, args: ['-e', 'stderr', '-p', dir, '-c', path.join(dir, 'nginx.conf')] };
}

/*
 * Resolves when /readyz answers 200 through it: { url, port, log(), stop() }. Options:
 *   edit   a function from the text of upstream.conf to the one that is used
 *   more   stands in its server beside the files of deploy/nginx
 *   listen a function from the port to the text of listen.conf
 *   redirect a function from the port to the text of redirect.conf, if there is to be one
 *   settings, files   as nginxDir() has them
 */
export async function startNginx(nodes, { edit = (text) => text, ...how } = {}) {
  const upstream = edit(upstreamConf(nodes));
  return onFreePort((port) => launchNginx(port, upstream, how));
}

async function launchNginx(port, upstream, { more = '', settings, files, redirect, ...how }) {
  const { listen = (at) => `listen 127.0.0.1:${at};\n` } = how;
  const { dir, args } = nginxDir({
    upstream,
    listen: `${listen(port)}${more}`,
    settings,
    files: { ...files, ...(redirect && { 'redirect.conf': redirect(port) }) },
  });
  const log = path.join(dir, 'log');
  const child = startProcess(findProgram('nginx'), [...args, '-g', 'daemon off;'], {
    cwd: dir,
    log,
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = async () => (await request(`${url}/readyz`)).status === 200;
  await until(async () => child.result || answers(), { what: 'nginx answers' });
  if (child.result) throw new Error(`nginx did not start:\n${child.output()}`);
  return { url, port, stop: () => child.end('SIGTERM', 5000), log: child.output };
}

// As cluster(), with nginx in front of it; `nginx` has the options of startNginx().
export async function clusterBehindNginx({ nginx: how, ...options } = {}) {
  const all = await cluster(options);
  const nginx = await startNginx(all.nodes, how);
  const stop = async () => {
    await nginx.stop();
    await all.stop();
  };
  return { ...all, nginx, stop };
}
