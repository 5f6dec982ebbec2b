// The files of deploy/ and docker-compose.yml fit the node, one another, and the programs that
// read them. What only a Docker engine can show is not shown here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, freePort, ROOT, tempDir, test } from '../lib/harness.mjs';
import { NGINX_FILES, nginxDir } from '../lib/nginx.mjs';
import { runProgram } from '../lib/program.mjs';
import { BINARY } from '../lib/servers.mjs';

const read = (...where) => fs.readFileSync(path.join(ROOT, ...where), 'utf8');
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const seconds = (text) => Number(text.match(/^(\d+)s$/)[1]);

const help = (await runProgram(['--help'])).out;
const options = all(help, /^ +--([a-z-]+) /gm);
const variables = options.map((flag) => `SLUICE_${flag.toUpperCase().replaceAll('-', '_')}`);
const [drain] = all(help, /^ +--drain .*\[(\d+s)\]$/gm).map(seconds);
const AFTER_DRAIN = 3; // seconds that a node may still take (gateway/node.c)

const compose = read('docker-compose.yml');
const bare = compose.replace(/^ *#.*\n/gm, '');
// What several services have in common: { name: text, indented as a service's }.
const common = Object.fromEntries(
  [...bare.matchAll(/^x-(\w+): &\w+\n((?: .*\n)+)/gm)].map(([, name, text]) => [
    name,
    text.replace(/^/gm, '  '),
  ]),
);
// One text for each service, without comments, with what it has in common with others. What it says
// itself comes first, and stands in the place of that.
const whole = (text) => {
  const [, name] = text.match(/<<: \*(\w+)\n/) ?? [];
  if (!name || name === 'every') return text;
  const own = all(text, /^ {4}(\w+):/gm);
  const inherited = whole(common[name]).split(/^ {4}(?=[\w<])/m).slice(1);
  const rest = inherited.filter((part) => !own.includes(part.match(/^[\w<]+/)[0]));
  return text + rest.map((part) => `    ${part}`).join('');
};
const services = Object.fromEntries(
  bare
    .match(/^services:\n([^]*?)^networks:/m)[1]
    .split(/^ {2}(?=\w)/m)
    .slice(1)
    .map((text) => [text.match(/^[\w-]+/)[0], whole(text)]),
);
const REDIS = ['redis-2', 'redis-3', 'redis-4', 'redis-5', 'redis-6'];
const SENTINELS = ['sentinel-1', 'sentinel-2', 'sentinel-3'];
// Services that run in some profiles alone.
const PROFILES = {
  ...Object.fromEntries([...REDIS, 'cluster'].map((name) => [name, 'cluster'])),
  ...Object.fromEntries(SENTINELS.map((name) => [name, 'sentinel'])),
  'redis-2': 'sentinel, cluster',
  prometheus: 'monitoring',
  grafana: 'monitoring',
};
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
  const hidden = ['secrets', 'redis', ...REDIS, 'cluster', ...SENTINELS, 'gateway'];
  const names = [...hidden, 'nginx', 'prometheus', 'grafana'];
  assert.deepEqual(Object.keys(services), names);
  for (const [name, text] of Object.entries(services)) {
    assert.match(text, /<<: \*every/, name);
    assert.equal(/healthcheck:\n/.test(text), !['secrets', 'cluster'].includes(name), name);
    assert.deepEqual(all(text, /^ {4}profiles: \[(.*)\]$/gm), [PROFILES[name]].filter(Boolean), name);
    assert.match(text, /^ {4}mem_limit: \S+$/m, name);
    assert.match(text, /^ {4}pids_limit: \d+$/m, name);
    for (const image of all(text, /^ {4}image: (\S+)$/gm)) {
      assert.match(image, /^[a-z/]+:v?\d+\.\d+\.\d+$/, 'pinned by version');
    }
    // nginx's own port alone can be opened to the network; what is for operators is on loopback.
    assert.equal(/ports:/.test(text), !hidden.includes(name), name);
    const ports = all(text, /^ {6}- (\S+:\$\{[A-Z_]*PORT:-\d+\}:\d+)$/gm);
    assert.equal(ports.length, { nginx: 2, prometheus: 1, grafana: 1 }[name] ?? 0, name);
    for (const port of ports) {
      const open = port.includes('${PORT:-8080}:8080');
      assert.ok(port.startsWith(open ? '${ADDRESS:-127.0.0.1}:' : '127.0.0.1:'), port);
    }
    for (const awaited of all(text, /^ {6}([\w-]+): \{condition: service_\w+\}/gm)) {
      assert.ok(names.indexOf(awaited) < names.indexOf(name), `${name} after ${awaited}`);
    }
  }
});

test('compose, Dockerfile: every file named is there', () => {
  const mounted = all(compose, /^ +- (\.\/\S+?):\S+:ro$/gm);
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
  const made = runSecrets();
  await check([], {
    env: { ...env, SLUICE_LISTEN: nobody, SLUICE_INTERNAL_LISTEN: nobody, SLUICE_CONFIG: made.sluice },
  });

  const example = read('deploy/sluice.conf.example');
  const lines = all(example, /^(?:# )?([a-z-]+ = .*)$/gm);
  assert.ok(lines.length >= 7);
  for (const line of [...lines, all(example, /^([a-z-]+ = .*)$/gm).join('\n')]) {
    const file = path.join(tempDir('config'), 'sluice.conf');
    fs.writeFileSync(file, `${line}\n`);
    await check(['--config', file, '--listen', nobody]);
  }
});

// Runs what the service `secrets` runs: { status, stderr, sluice (a file), … }.
function runSecrets(env = {}, dir = tempDir('secrets')) {
  const dirs = ['redis', 'grafana'].map((name) => path.join(dir, name));
  for (const one of dirs) fs.mkdirSync(one, { recursive: true });
  const script = path.join(ROOT, 'deploy/docker/secrets');
  const given = { PATH: process.env.PATH, ADDRESS: '127.0.0.1', IDENTITY: '', ...env };
  const { status, stderr } = spawnSync('sh', [script, ...dirs], { env: given, encoding: 'utf8' });
  const read = (where) => status === 0 && fs.readFileSync(path.join(dir, where), 'utf8');
  return {
    status,
    stderr,
    dir,
    sluice: path.join(dirs[0], 'sluice.conf'),
    redis: read('redis/redis'),
    grafana: read('grafana/grafana'),
    line: read('redis/redis.conf'),
    url: read('redis/sluice.conf'),
  };
}

test('compose: passwords are made once, each its own, or are those given', () => {
  const first = runSecrets();
  assert.equal(first.status, 0, first.stderr);
  for (const one of [first.redis, first.grafana]) assert.match(one, /^[0-9a-f]{48}$/);
  assert.notEqual(first.redis, first.grafana);
  assert.equal(first.line, `requirepass ${first.redis}\nmasterauth ${first.redis}\n`);
  assert.equal(first.url, `redis-url = redis://:${first.redis}@redis:6379/0\n`);
  assert.notEqual(runSecrets().redis, first.redis);
  assert.deepEqual(runSecrets({}, first.dir), first, 'the second time they stay');
  for (const PROFILES of ['sentinel', 'monitoring,sentinel']) {
    const { url, redis } = runSecrets({ PROFILES });
    const place = `redis+sentinel://:${redis}@${SENTINELS}/mymaster`;
    assert.equal(url, `redis-url = ${place}\nredis-sentinel-password = ${redis}\n`);
  }
  for (const PROFILES of ['cluster', 'cluster,monitoring']) {
    const { url, redis } = runSecrets({ PROFILES });
    assert.equal(url, `redis-url = redis+cluster://:${redis}@redis,${REDIS}\n`);
  }
  for (const PROFILES of ['cluster,sentinel', 'sentinel,monitoring,cluster']) {
    assert.equal(runSecrets({ PROFILES }).status, 1, PROFILES);
  }
  const given = runSecrets({ REDIS_PASSWORD: 'one-of.my_own', GRAFANA_PASSWORD: 'two' }, first.dir);
  assert.deepEqual([given.redis, given.grafana], ['one-of.my_own', 'two']);
  assert.match(given.url, /:one-of\.my_own@/);
  assert.equal(runSecrets({ REDIS_PASSWORD: 'a@b' }).status, 1, 'it would not fit into an URL');
});

test('compose: nothing starts on the network while anybody may be anyone', () => {
  for (const ADDRESS of ['0.0.0.0', '::', '192.168.1.5', '1.2.3.4']) {
    const { status, stderr } = runSecrets({ ADDRESS });
    assert.equal(status, 1, ADDRESS);
    assert.match(stderr, /SLUICE_JWT_SECRET/);
    assert.equal(runSecrets({ ADDRESS, IDENTITY: 'a secret, or yes' }).status, 0);
  }
  for (const ADDRESS of ['127.0.0.1', '127.0.0.2', '::1', 'localhost']) {
    assert.equal(runSecrets({ ADDRESS }).status, 0, ADDRESS);
  }
  assert.match(services.secrets, /IDENTITY: \$\{SLUICE_JWT_SECRET:-\}\$\{SLUICE_JWKS_URL:-\}\$\{ALLOW_ANONYMOUS:-\}\n/);
  for (const later of ['redis', 'gateway', 'nginx']) assert.match(services[later], /depends_on:\n/);
  assert.match(services.redis, /secrets: \{condition: service_completed_successfully\}/);
});

test('docker-compose takes its files', (t) => {
  const program = findProgram('docker-compose');
  if (!program) return t.skip('docker-compose is not installed');
  const compose = ['-f', 'docker-compose.yml'];
  for (const [files, env] of [
    [compose, {}],
    [[...compose, '-f', 'deploy/docker-compose.tls.yml'], { TLS_DIR: '/tmp' }],
    ...['sentinel', 'cluster', 'monitoring,cluster'].map((one) => [compose, { COMPOSE_PROFILES: one }]),
    ...['sentinel', 'cluster'].map((one) => [[...compose, '--profile', one], {}]),
  ]) {
    const { status, stderr } = spawnSync(program, [...files, 'config', '-q'], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: '/tmp', ...env },
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, '']);
  }
});

test('the image has the libraries that the node is linked with, and no others', (t) => {
  const run = read('deploy/Dockerfile').split(/^FROM /m).at(-1);
  const wanted = all(run, /\s((?:lib|zlib)[a-z]*[\d.g]+)(?=\s)/g);
  const needed = spawnSync('readelf', ['-d', BINARY], { encoding: 'utf8' });
  if (needed.status !== 0 || !findProgram('dpkg')) return t.skip('no readelf, or no dpkg');
  const names = all(needed.stdout, /\(NEEDED\).*\[(\S+)\]/g).filter((name) => !/^lib(c|m|asan|ubsan|gcc_s|pthread|dl)\.so/.test(name));
  const { stdout } = spawnSync('dpkg', ['-S', ...names.map((name) => `*/${name}`)], { encoding: 'utf8' });
  assert.deepEqual(wanted.sort(), [...new Set(all(stdout, /^([^:\s]+):/gm))].sort());
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
  const operators = docker('operators.conf');
  assert.match(operators, /server gateway:8081 resolve /);
  assert.match(services.gateway, /SLUICE_INTERNAL_LISTEN: 0\.0\.0\.0:8081\n/);
  for (const server of servers) assert.match(server, /^server gateway:8080 resolve /);
  assert.equal(all(docker('upstream.conf'), /^ *(zone) /gm).length, 2, 'resolve wants a zone');
  assert.match(docker('listen.conf'), /^listen 8080 /m);
  assert.match(services.nginx, /:8080\n/);

  // `resolve` came with nginx 1.27.3; without it a name is looked up at once.
  const { args } = nginxDir({
    upstream: docker('upstream.conf').replaceAll('gateway:8080 resolve', '127.0.0.1:8080'),
    listen: docker('listen.conf').replace('listen 8080', `listen 127.0.0.1:${await freePort()}`),
    files: {
      'operators.conf': operators
        .replace('gateway:8081 resolve', '127.0.0.1:8081')
        .replace('listen 8081', `listen 127.0.0.1:${await freePort()}`),
    },
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
