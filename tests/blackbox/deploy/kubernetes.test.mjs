// deploy/kubernetes/ and the chart in deploy/helm/: objects as the API of Kubernetes has them, that
// fit the node, the image and one another.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, freePort, ROOT, startNode, startRedis, tempDir, test } from '../lib/harness.mjs';
import { renderChart } from '../lib/helm.mjs';
import { customize, customizeBy, documents, faultsOf, variables } from '../lib/kubernetes.mjs';
import { runProgram } from '../lib/program.mjs';
import { SECRET } from '../lib/token.mjs';

const read = (...where) => fs.readFileSync(path.join(ROOT, ...where), 'utf8');
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const DIR = path.join(ROOT, 'deploy/kubernetes');
const CHART = path.join(ROOT, 'deploy/helm/sluice');
const KINDS = ['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'NetworkPolicy', 'PodDisruptionBudget', 'Secret', 'Service', 'Service'];
const AFTER_DRAIN = 3; // seconds that a node may still take
const seconds = (text) => Number(text.match(/^(\d+)s$/)[1]);
const sorted = (value) => JSON.parse(JSON.stringify(value), (_, inner) =>
  typeof inner === 'object' && inner !== null && !Array.isArray(inner)
    ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
    : inner);
const named = (objects) => Object.fromEntries(objects.map((object) => [`${object.kind} ${object.metadata.name}`, sorted(object)]));
const one = (objects, kind) => objects.find((object) => object.kind === kind);
const podOf = (objects) => one(objects, 'Deployment').spec.template.spec;

const kubectl = findProgram('kubectl');
const base = customize(DIR);
function chart(values = {}, release = 'sluice') {
  const files = renderChart(CHART, { values, release });
  return Object.entries(files).filter(([name]) => name.endsWith('.yaml')).flatMap(([, text]) => documents(text));
}
function helm(...args) {
  const { status, stdout, stderr } = spawnSync(findProgram('helm'), args, { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test('a schema sees what is wrong', () => {
  const [pod] = [structuredClone(one(base, 'Deployment'))];
  pod.spec.replicaz = 3;
  pod.spec.template.spec.containers[0].ports[0].containerPort = 'public';
  delete pod.spec.selector;
  const faults = faultsOf(pod).join('\n');
  for (const part of ['/spec/replicaz is not known', '/containerPort type', '"selector"']) assert.ok(faults.includes(part), faults);
  assert.deepEqual(faultsOf({ apiVersion: 'apps/v2', kind: 'Deployment' }).length, 1);
});

test('the kustomization makes objects of the API, each kind that it is to have', () => {
  assert.deepEqual(base.map((object) => object.kind).sort(), KINDS);
  assert.deepEqual(base.flatMap(faultsOf), []);
  if (kubectl) assert.deepEqual(named(customizeBy(kubectl, DIR)), named(base), 'kubectl makes the same');
});

test('the pods have the rights of no one, and end as a node does', () => {
  const pod = podOf(base);
  const [container] = pod.containers;
  assert.deepEqual(
    [pod.automountServiceAccountToken, pod.enableServiceLinks, pod.securityContext.runAsNonRoot, pod.securityContext.seccompProfile.type],
    [false, false, true, 'RuntimeDefault'],
  );
  assert.deepEqual(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
  const dockerfile = read('deploy/Dockerfile');
  const [user, group] = dockerfile.match(/^USER (\d+):(\d+)$/m).slice(1).map(Number);
  assert.deepEqual([pod.securityContext.runAsUser, pod.securityContext.runAsGroup], [user, group]);
  assert.ok(container.resources.limits.memory && container.resources.requests.cpu);

  const { SLUICE_DRAIN } = one(base, 'ConfigMap').data;
  const [, wait] = container.lifecycle.preStop.exec.command.join(' ').match(/^sleep (\d+)$/);
  assert.ok(pod.terminationGracePeriodSeconds > Number(wait) + seconds(SLUICE_DRAIN) + AFTER_DRAIN);
});

test('image, ports and probes are those of the Dockerfile and the node', () => {
  const [version] = all(read('Makefile'), /^VERSION := (\S+)$/gm);
  const [built] = all(read('deploy/Dockerfile'), /^# +docker build .*-t (\S+) \.$/gm);
  const [container] = podOf(base).containers;
  assert.equal(container.image, `${built}:${version}`);
  const data = one(base, 'ConfigMap').data;
  const ports = Object.fromEntries(container.ports.map(({ name, containerPort }) => [name, containerPort]));
  assert.deepEqual([data.SLUICE_LISTEN, data.SLUICE_INTERNAL_LISTEN], [`0.0.0.0:${ports.public}`, `0.0.0.0:${ports.internal}`]);
  for (const [probe, where] of [['readinessProbe', '/readyz'], ['livenessProbe', '/healthz']]) {
    assert.deepEqual(container[probe].httpGet, { path: where, port: 'internal' });
  }
  const policy = one(base, 'NetworkPolicy').spec;
  assert.deepEqual(policy.ingress.map((rule) => [Boolean(rule.from), rule.ports.map((port) => port.port)]), [[false, [ports.public]], [true, [ports.internal]]]);
  assert.ok(policy.egress.some((rule) => rule.to?.[0].podSelector && rule.ports[0].port === ports.internal), 'nodes reach one another');
  // What selects pods fits them.
  const { labels, annotations } = one(base, 'Deployment').spec.template.metadata;
  assert.equal(annotations['prometheus.io/port'], String(ports.internal));
  const services = base.filter((object) => object.kind === 'Service').map((object) => object.spec.selector);
  const selectors = [one(base, 'Deployment').spec.selector, one(base, 'PodDisruptionBudget').spec.selector, policy.podSelector];
  for (const selector of [...services, ...selectors.map((each) => each.matchLabels)]) {
    for (const [key, value] of Object.entries(selector)) assert.equal(labels[key], value);
  }
});

test('a node takes the options, but not the secret that stands there', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const given = { ...one(base, 'ConfigMap').data, ...one(base, 'Secret').stringData };
  assert.deepEqual(variables(path.join(DIR, 'secret.env')), one(base, 'Secret').stringData);
  const env = { ...given, SLUICE_REDIS_URL: redis.url, SLUICE_LISTEN: '127.0.0.1:0', SLUICE_INTERNAL_LISTEN: `127.0.0.1:${await freePort()}` };
  const { code, err } = await runProgram([], { env });
  assert.equal(code, 1);
  assert.match(err, /SLUICE_JWT_SECRET: jwt-secret: .*32 bytes/);
  const node = await startNode({ env: { ...env, SLUICE_JWT_SECRET: SECRET } });
  assert.equal((await node.get('/readyz')).status, 200);
  await node.stop();
});

test('the metric that the autoscaler asks is one of the node', async () => {
  const metrics = one(base, 'HorizontalPodAutoscaler').spec.metrics;
  const { name } = metrics.find((metric) => metric.type === 'Pods').pods.metric;
  assert.match(read('deploy/docs/metrics.md'), new RegExp(`\`${name}\``));
  const [{ rules }] = documents(read('deploy/kubernetes/prometheus-adapter.yaml'));
  assert.deepEqual(rules.custom.map((rule) => rule.name.as), [name]);
  for (const door of rules.custom[0].metricsQuery.match(/door=~"(.*?)"/)[1].split('|')) {
    assert.match(read('deploy/docs/metrics.md'), new RegExp(`^\\| \`${name}\` .*\`${door}\``, 'm'));
  }
});

test('the overlay of OPERATIONS.md is one', { skip: !kubectl && 'there is no kubectl' }, () => {
  const [text] = all(read('deploy/OPERATIONS.md'), /^```yaml\n(resources: [^]*?)^```$/gm);
  const dir = tempDir('overlay');
  fs.cpSync(DIR, path.join(dir, 'sluice/deploy/kubernetes'), { recursive: true });
  fs.mkdirSync(path.join(dir, 'own'));
  fs.writeFileSync(path.join(dir, 'own/kustomization.yaml'), text);
  fs.writeFileSync(path.join(dir, 'own/secret.env'), `SLUICE_JWT_SECRET=${SECRET}\n`);
  const objects = customizeBy(kubectl, path.join(dir, 'own'));
  assert.deepEqual(objects.flatMap(faultsOf), []);
  assert.ok(objects.every((object) => object.metadata.namespace === 'chat'));
  assert.equal(podOf(objects).containers[0].image, 'registry.example/sluice:0.1.0');
  const data = one(objects, 'ConfigMap').data;
  assert.deepEqual([data.SLUICE_ALLOWED_ORIGINS, data.SLUICE_DRAIN], ['https://chat.example', '20s']);
  assert.equal(one(objects, 'Secret').stringData.SLUICE_JWT_SECRET, SECRET);
});

// ---- The chart

// Without what a chart alone has: labels of the release, and sums that replace hashes in names.
function bare(object) {
  const helms = /^(app\.kubernetes\.io\/(instance|version|managed-by)|helm\.sh\/chart|checksum\/\w+)$/;
  return JSON.parse(JSON.stringify(object), (key, value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).filter(([name]) => !helms.test(name)))
      : value,
  );
}

test('the chart makes the same as the kustomization', () => {
  assert.deepEqual(named(chart().map(bare)), named(base));
  const [about] = documents(read('deploy/helm/sluice/Chart.yaml'));
  const [version] = all(read('Makefile'), /^VERSION := (\S+)$/gm);
  assert.deepEqual([about.version, about.appVersion], [version, version]);
});

test('its values change what they say', () => {
  const values = {
    image: { repository: 'registry.example/chat/sluice', tag: '1.2.3' },
    imagePullSecrets: [{ name: 'pull' }],
    options: { 'max-connections': 2000000, deflate: true, event: '"a b" room\nc drop', channels: '' },
    secret: { existing: 'own' },
    autoscaling: { enabled: false },
    replicas: 5,
    disruptionBudget: { enabled: false },
    networkPolicy: { monitoring: '', egressPorts: [7000] },
    service: { type: 'LoadBalancer', port: 443, annotations: { a: 'b: c' } },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'k', operator: 'Exists' }],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a', 'b'] }] }] } } },
    podAnnotations: { 'prometheus.io/scrape': 'false' },
    resources: { limits: { memory: '2Gi' } },
  };
  const objects = chart(values, 'chat');
  assert.deepEqual(objects.flatMap(faultsOf), []);
  assert.deepEqual(objects.map((object) => `${object.kind} ${object.metadata.name}`).sort(), [
    'ConfigMap chat-sluice',
    'Deployment chat-sluice',
    'NetworkPolicy chat-sluice',
    'Service chat-sluice',
    'Service chat-sluice-internal',
  ]);
  const { data } = one(objects, 'ConfigMap');
  assert.deepEqual(
    [data.SLUICE_MAX_CONNECTIONS, data.SLUICE_DEFLATE, data.SLUICE_EVENT, data.SLUICE_CHANNELS, data.SLUICE_DRAIN],
    ['2000000', 'true', '"a b" room\nc drop', '', '20s'],
  );
  const pod = podOf(objects);
  assert.equal(one(objects, 'Deployment').spec.replicas, 5);
  assert.equal(pod.containers[0].image, 'registry.example/chat/sluice:1.2.3');
  assert.deepEqual(pod.containers[0].envFrom.map((from) => (from.secretRef ?? from.configMapRef).name), ['chat-sluice', 'own']);
  for (const name of ['imagePullSecrets', 'nodeSelector', 'tolerations', 'affinity']) assert.deepEqual(pod[name], values[name], name);
  const policy = one(objects, 'NetworkPolicy').spec;
  assert.deepEqual(policy.ingress[1].from.length, 1, 'no namespace of a Prometheus');
  assert.deepEqual(policy.egress[1].ports.map((port) => port.port), [7000]);
  const [service] = objects.filter((object) => object.kind === 'Service' && object.spec.type);
  assert.deepEqual([service.spec.type, service.spec.ports[0].port, service.metadata.annotations], ['LoadBalancer', 443, { a: 'b: c' }]);
  // Pods are replaced when their options change, and not for another reason.
  const sum = (more) => one(chart({ ...values, ...more }), 'Deployment').spec.template.metadata.annotations;
  assert.deepEqual(sum({ replicas: 6 }), sum({}));
  assert.notEqual(sum({ options: { drain: '1s' } })['checksum/options'], sum({})['checksum/options']);
  const large = one(chart({ autoscaling: { connections: 3000000, cpu: 0 } }), 'HorizontalPodAutoscaler');
  assert.deepEqual(large.spec.metrics.map((metric) => metric.pods.target.averageValue), ['3000000']);
});

test('its options are options of the node, and its notes tell what to do', async () => {
  const help = (await runProgram(['--help'])).out;
  const options = all(help, /^ +--([a-z-]+) /gm);
  const [values] = documents(read('deploy/helm/sluice/values.yaml'));
  for (const name of [...Object.keys(values.options), ...Object.keys(values.secret.options)]) assert.ok(options.includes(name), name);
  const notes = (given) => renderChart(CHART, { values: given, namespace: 'talk' })['NOTES.txt'];
  assert.match(notes({}), /32 bytes/);
  assert.match(notes({}), /^ +kubectl -n talk rollout status deployment\/sluice$/m);
  assert.doesNotMatch(notes({ secret: { options: { 'jwt-secret': SECRET } } }), /32 bytes/);
  assert.doesNotMatch(notes({ secret: { existing: 'own' } }), /32 bytes/);
});

test('helm takes the chart and makes the same', { skip: !findProgram('helm') && 'there is no helm' }, () => {
  helm('lint', '--strict', CHART);
  for (const values of [{}, { secret: { existing: 'own' }, autoscaling: { enabled: false }, options: { 'max-rooms': 1000000 } }]) {
    const file = path.join(tempDir('helm'), 'values.json');
    fs.writeFileSync(file, JSON.stringify(values));
    assert.deepEqual(named(documents(helm('template', 'sluice', CHART, '--values', file))), named(chart(values)));
  }
});
