// The files of deploy/ and docker-compose.yml fit the node, one another, and the programs that
// read them. What only a Docker engine can show is not shown here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, freePort, ROOT, tempDir, test } from '../lib/harness.mjs';
import { NGINX_FILES, nginxDir } from '../lib/nginx.mjs';
import { runProgram } from '../lib/program.mjs';

const read = (...where) => fs.readFileSync(path.join(ROOT, ...where), 'utf8');
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const seconds = (text) => Number(text.match(/^(\d+)s$/)[1]);

const help = (await runProgram(['--help'])).out;
const options = all(help, /^ +--([a-z-]+) /gm);
const variables = options.map((flag) => `SLUICE_${flag.toUpperCase().replaceAll('-', '_')}`);
const [drain] = all(help, /^ +--drain .*\[(\d+s)\]$/gm).map(seconds);
const AFTER_DRAIN = 3; // seconds that a node may still take (gateway/node.c)

const compose = read('docker-compose.yml');
// One text for each service, without comments.
const services = Object.fromEntries(
  compose
    .replace(/^ *#.*\n/gm, '')
    .match(/^services:\n([^]*?)^networks:/m)[1]
    .split(/^ {2}(?=\w)/m)
    .slice(1)
    .map((text) => [text.match(/^\w+/)[0], text]),
);
// The environment of a service, with the defaults of its ${NAME:-default}.
const environment = (text) =>
  Object.fromEntries(
    [...text.matchAll(/^ {6}([A-Z_]+): (.*)$/gm)].map(([, name, value]) => [
      name,
      value.replace(/^"(.*)"$/, '$1').replace(/\$\{\w+:-(.*?)\}/g, '$1'),
    ]),
  );

function promtool(...args) {
  const program = findProgram('promtool');
  assert.ok(program, 'promtool: scripts/install-deps test gets it');
  const cwd = path.join(ROOT, 'deploy/prometheus');
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, `promtool ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

test('compose: the services, and what each must have', () => {
  const names = ['redis', 'gateway', 'nginx', 'prometheus', 'grafana'];
  assert.deepEqual(Object.keys(services), names);
  for (const [name, text] of Object.entries(services)) {
    assert.match(text, /<<: \*every/, name);
    assert.match(text, /healthcheck:\n/, name);
    assert.equal(/profiles: \[monitoring\]/.test(text), names.indexOf(name) > 2, name);
    // Published by nginx and the monitors alone, on loopback until told otherwise.
    assert.equal(/ports:/.test(text), !['redis', 'gateway'].includes(name), name);
    for (const port of all(text, /ports:\n {6}- (.*)\n/g)) {
      assert.match(port, /^\$\{ADDRESS:-127\.0\.0\.1\}:\$\{[A-Z_]*PORT:-\d+\}:\d+$/);
    }
    for (const awaited of all(text, /^ {6}(\w+): \{condition: service_healthy\}/gm)) {
      assert.ok(names.indexOf(awaited) < names.indexOf(name), `${name} after ${awaited}`);
    }
  }
});

test('compose, Dockerfile: every file named is there', () => {
  const mounted = all(compose, /^ {6}- (\.\/\S+?):\S+:ro$/gm);
  assert.ok(mounted.length >= 9, mounted.join());
  for (const file of mounted) assert.ok(fs.existsSync(path.join(ROOT, file)), file);

  const dockerfile = read('deploy/Dockerfile');
  const named = all(dockerfile, /^COPY (?!--from)(\S+)/gm);
  const copied = named.map((file) => file.replace(/\/$/, ''));
  const sent = all(read('.dockerignore'), /^!(.+)$/gm);
  assert.deepEqual(copied.sort(), sent.sort(), 'what is copied is what is sent');
  for (const file of copied) assert.ok(fs.existsSync(path.join(ROOT, file)), file);
  for (const base of all(dockerfile, /^FROM (\S+)/gm)) assert.equal(base, 'debian:bookworm-slim');
});

test('the client of Socket.IO in the image is the one that the tests use', () => {
  const dockerfile = read('deploy/Dockerfile');
  const { packages } = JSON.parse(read('tests/package-lock.json'));
  const { version, integrity } = packages['node_modules/socket.io-client'];
  const [, sha512] = integrity.match(/^sha512-(.+)$/);
  assert.deepEqual(all(dockerfile, /^ARG VERSION=(.+)$/gm), [version]);
  const given = all(dockerfile, /^ARG SHA512=([0-9a-f]{128})$/gm);
  assert.deepEqual(given, [Buffer.from(sha512, 'base64').toString('hex')]);
  const [copied] = all(dockerfile, /^COPY --from=client \/client\/package\/ (\S+)\/$/gm);
  assert.match(dockerfile, /\btar .* package\/dist /);
  assert.deepEqual(all(dockerfile, /\bSLUICE_SOCKETIO_CLIENT=(\S+)$/gm), [`${copied}/dist`]);
});

test('options in compose, the Dockerfile and the example file are options of the node', async () => {
  const env = environment(services.gateway);
  assert.ok(Object.keys(env).length >= 8, JSON.stringify(env));
  for (const name of [
    ...Object.keys(env),
    ...all(read('deploy/Dockerfile'), /\b(SLUICE_[A-Z_]+)=/g),
    ...all(compose, /\b(SLUICE_[A-Z_]+)/g),
  ]) {
    assert.ok(variables.includes(name), `${name} is no option`);
  }
  // The node takes the values; it is asked on a port where nobody is.
  const nobody = `127.0.0.1:${await freePort()}`;
  const check = async (args, more) => {
    const { code, err } = await runProgram(['--health-check', ...args], more);
    assert.equal(code, 1);
    assert.match(err, /^sluice: no healthy node at/);
  };
  await check([], { env: { ...env, SLUICE_LISTEN: nobody } });

  const example = read('deploy/sluice.conf.example');
  const lines = all(example, /^(?:# )?([a-z-]+ = .*)$/gm);
  assert.ok(lines.length >= 7);
  for (const line of [...lines, all(example, /^([a-z-]+ = .*)$/gm).join('\n')]) {
    const file = path.join(tempDir('config'), 'sluice.conf');
    fs.writeFileSync(file, `${line}\n`);
    await check(['--config', file, '--listen', nobody]);
  }
});

test('a node is given longer to stop than a drain takes', () => {
  const grace = all(services.gateway, /stop_grace_period: (\S+)/g).map(seconds);
  const stop = all(read('deploy/sluice.service'), /^TimeoutStopSec=(\S+)$/gm).map(seconds);
  for (const given of [...grace, ...stop]) assert.ok(given > drain + AFTER_DRAIN, `${given} s`);
  assert.deepEqual([grace.length, stop.length], [1, 1]);
});

test('nginx takes the files of Docker, as far as this nginx knows the words', async () => {
  const docker = (name) => fs.readFileSync(path.join(NGINX_FILES, 'docker', name), 'utf8');
  const servers = all(docker('upstream.conf'), /^ *(server .*);$/gm);
  assert.equal(servers.length, 2);
  for (const server of servers) assert.match(server, /^server gateway:8080 resolve /);
  assert.equal(all(docker('upstream.conf'), /^ *(zone) /gm).length, 2, 'resolve wants a zone');
  assert.match(docker('listen.conf'), /^listen 8080 /m);
  assert.match(services.nginx, /:8080\n/);

  // `resolve` came with nginx 1.27.3; without it a name is looked up at once.
  const { args } = nginxDir({
    upstream: docker('upstream.conf').replaceAll('gateway:8080 resolve', '127.0.0.1:8080'),
    listen: docker('listen.conf').replace('listen 8080', `listen 127.0.0.1:${await freePort()}`),
  });
  const { status, stderr } = spawnSync(findProgram('nginx'), ['-t', ...args], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.ok(!/\[(warn|error|emerg)\]/.test(stderr), stderr);
});

test('Prometheus takes its files, and the alerts do as their tests say', () => {
  promtool('check', 'config', 'prometheus.yml');
  promtool('test', 'rules', 'alerts_test.yml');
});

test('each alert has what wakes an operator, a heading in OPERATIONS.md and a test', () => {
  const alerts = read('deploy/prometheus/alerts.yml').split(/^ +- alert: /m).slice(1);
  const tests = read('deploy/prometheus/alerts_test.yml');
  const headings = all(read('deploy/OPERATIONS.md'), /^### (Sluice\w+)$/gm);
  const names = alerts.map((alert) => alert.match(/^\w+/)[0]);
  assert.ok(names.length >= 10);
  assert.deepEqual(headings.sort(), [...names].sort());
  alerts.forEach((alert, i) => {
    assert.match(alert, /severity: (critical|warning)\}/);
    assert.match(alert, /summary: \S[^]*description: \S/);
    const [anchor] = all(alert, /runbook: deploy\/OPERATIONS\.md#(\w+)$/gm);
    assert.equal(anchor, names[i].toLowerCase());
    assert.ok(tests.includes(`alertname="${names[i]}"`), `${names[i]} fires in a test`);
  });
});

test('the dashboard is whole, and Prometheus understands what it asks', () => {
  const dashboard = JSON.parse(read('deploy/grafana/dashboards/sluice.json'));
  const source = read('deploy/grafana/provisioning/datasources/prometheus.yml');
  assert.match(source, /^ {4}uid: prometheus$/m);
  assert.equal(dashboard.templating.list[0].current.value, 'prometheus');
  const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
  assert.equal(new Set(dashboard.panels.map((panel) => panel.id)).size, dashboard.panels.length);
  assert.ok(panels.length > 20);
  const taken = new Set();
  for (const { title, description, gridPos: g, targets } of panels) {
    assert.ok(title && description && targets.length, title);
    assert.ok(g.x + g.w <= 24, `${title} is within the page`);
    for (let x = g.x; x < g.x + g.w; x++) {
      for (let y = g.y; y < g.y + g.h; y++) {
        assert.ok(!taken.has(`${x},${y}`), `${title} lies over another`);
        taken.add(`${x},${y}`);
      }
    }
  }
  const rules = panels
    .flatMap((panel) => panel.targets.map((target) => target.expr))
    .map((expr) => expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h'))
    .map((expr, i) => `      - {record: "panel:${i}", expr: ${JSON.stringify(expr)}}`);
  const file = path.join(tempDir('rules'), 'rules.yml');
  fs.writeFileSync(file, `groups:\n  - name: panels\n    rules:\n${rules.join('\n')}\n`);
  promtool('check', 'rules', file);
});
