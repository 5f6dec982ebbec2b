// nginx in front of nodes, with the files of deploy/nginx.

import fs from 'node:fs';
import path from 'node:path';
import { findProgram, request, startProcess, tempDir } from './processes.mjs';
import { freePort, ROOT, until } from './waiting.mjs';

export const NGINX_FILES = path.join(ROOT, 'deploy/nginx');

// What stands in upstream.conf for these nodes ({ port }). method: how a node is chosen; '' is each
// in turn.
export function upstreamConf(nodes, { method = 'least_conn;' } = {}) {
  const servers = (rest) => nodes.map(({ port }) => `server 127.0.0.1:${port} ${rest};`);
  return [
    `upstream sluice {\nzone sluice 64k;\n${method}`,
    ...servers('max_fails=1 fail_timeout=1s'),
    '}\nupstream sluice_ready {\nzone sluice_ready 64k;',
    ...servers('max_fails=0'),
    '}\n',
  ].join('\n');
}

// A directory that nginx can be started in: { dir, args }.
export function nginxDir({ upstream, listen }) {
  const dir = tempDir('nginx');
  fs.chmodSync(dir, 0o711); // its workers are another user's when root starts it
  for (const name of ['nginx.conf', 'sluice.conf']) {
    fs.copyFileSync(path.join(NGINX_FILES, name), path.join(dir, name));
  }
  fs.writeFileSync(path.join(dir, 'upstream.conf'), upstream);
  fs.writeFileSync(path.join(dir, 'listen.conf'), listen);
  return { dir, args: ['-e', 'stderr', '-p', dir, '-c', path.join(dir, 'nginx.conf')] };
}

// Resolves when /readyz answers 200 through it: { url, port, log(), stop() }. `more` stands in its
// server beside the files of deploy/nginx.
export async function startNginx(nodes, { upstream = upstreamConf(nodes), more = '' } = {}) {
  const port = await freePort();
  const { dir, args } = nginxDir({ upstream, listen: `listen 127.0.0.1:${port};\n${more}` });
  const log = path.join(dir, 'log');
  const child = startProcess(findProgram('nginx'), [...args, '-g', 'daemon off;'], {
    cwd: dir,
    log,
  });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await request(`${url}/readyz`)).status === 200, {
    what: `nginx answers:\n${child.output()}`,
  });
  return { url, port, stop: () => child.end('SIGTERM', 5000), log: child.output };
}
