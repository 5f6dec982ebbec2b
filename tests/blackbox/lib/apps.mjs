// Applications of tests/apps: a front end that was written for a Node server, on that server and on
// Sluice.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { Server } from 'socket.io';
import { io as client } from 'socket.io-client';
import { cluster, findProgram, freePort, ROOT, tempDir, test, until } from './harness.mjs';
import { clients, startProcess } from './processes.mjs';

export { until };

const APPS = path.join(ROOT, 'tests/apps');
const KEY = 'k'.repeat(40);
// How a back end is started, by the end of its file's name.
const RUNNERS = {
  '.mjs': (file) => [process.execPath, [file]],
  '.py': (file) => ['/usr/bin/python3', [file]],
  '.php': (file, port) => [findProgram('php'), ['-q', '-S', `127.0.0.1:${port}`, file]],
};

/*
 * What a page has: io(), as the script of the server gives it, and what a browser keeps: its
 * cookies, and `localStorage` as a Map. quit() closes the tab.
 */
function browser(url, { cookie, storage = new Map() } = {}) {
  const sockets = [];
  const io = (where, options = where) => {
    const at = typeof where === 'string' ? new URL(where, url).href : url;
    const sent = typeof options === 'object' ? options : {};
    const extraHeaders = sent.withCredentials && cookie ? { cookie } : {};
    const socket = client(at, { forceNew: true, extraHeaders, ...sent });
    sockets.push(socket);
    clients.add(socket);
    socket.url = url;
    socket.terminate = () => socket.disconnect();
    return socket;
  };
  const quit = () => {
    for (const socket of sockets) {
      clients.delete(socket);
      socket.disconnect();
    }
  };
  return { io, storage, quit };
}

async function onNode(t, name) {
  const { default: handlers } = await import(path.join(APPS, name, 'node.mjs'));
  const server = http.createServer();
  const io = new Server(server);
  const ends = handlers(io, server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    ends?.();
    return io.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  return { urls: [url], site: url };
}

const listens = (port) =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

/* Starts a back end at that port; calls: it gets any, else it only sends. */
export async function runBack(file, port, { sluice = '', calls = true } = {}) {
  const dir = tempDir('back');
  const env = { PATH: process.env.PATH, PORT: port, SLUICE_URL: sluice, SLUICE_API_KEY: KEY, TMPDIR: dir };
  const [command, args] = RUNNERS[path.extname(file)](file, port);
  const back = startProcess(command, args, { env, log: path.join(dir, 'log') });
  const up = () => back.result !== null || listens(port);
  if (calls) await until(up, { what: `${path.basename(file)} listens` });
  if (back.result !== null) throw new Error(`${file} has ended: ${back.output()}`);
  return back;
}

// The file of options as it stands, but for the address of the back end.
async function onSluice(t, name, file) {
  const port = await freePort();
  const site = `http://127.0.0.1:${port}`;
  const conf = path.join(tempDir('app'), 'sluice.conf');
  const text = fs.readFileSync(path.join(APPS, name, 'sluice.conf'), 'utf8');
  fs.writeFileSync(conf, text.replaceAll('http://127.0.0.1:3000', site));
  const { nodes, stop } = await cluster({ nodes: 2, args: ['--config', conf, '--api-key', KEY] });
  t.after(stop);
  if (file) {
    const back = await runBack(path.join(APPS, name, file), port, { sluice: nodes[0].url, calls: text.includes(':3000') });
    t.after(() => back.end('SIGTERM', 5000));
  }
  return { urls: nodes.map((node) => node.url), site };
}

/*
 * Runs a scene on each server, and there with each of the application's back ends. It gets: t;
 * page, and the front end's other exports in pages; open(options), a browser, each at the next
 * node; site, where the site's own back end answers.
 */
export function scenes(name, scene) {
  const files = fs.readdirSync(path.join(APPS, name)).filter((file) => file.startsWith('back.'));
  const run = async (t, { urls, site }) => {
    const tabs = [];
    t.after(() => tabs.forEach((tab) => tab.quit()));
    const open = (options) => {
      tabs.push(browser(urls[tabs.length % urls.length], options));
      return tabs.at(-1);
    };
    const { default: page, ...pages } = await import(path.join(APPS, name, 'front.mjs'));
    await scene({ t, site, page, pages, open });
  };
  test(`${name} on a Node server`, async (t) => run(t, await onNode(t, name)));
  for (const file of files.length > 0 ? files : [null])
    test(`${name} on Sluice${file ? ` with ${file}` : ''}`, async (t) => run(t, await onSluice(t, name, file)));
}
