// What the dashboard and the alerts ask for is what a node tells: names, labels, values.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, login, ROOT, test } from '../lib/harness.mjs';

const read = (where) => fs.readFileSync(path.join(ROOT, 'deploy', where), 'utf8');
const FROM_PROMETHEUS = ['job', 'instance', 'le'];

// A name with its selectors, less what a query adds to a histogram's name.
const ASKED = /\b((?:sluice|process)_[a-z_]+?)(?:_bucket)?\b(?![a-z_])(?:\{([^}]*)\})?/g;

const alerts = read('prometheus/alerts.yml').replace(/^ *#.*\n/gm, '');
const dashboard = JSON.parse(read('grafana/dashboards/sluice.json'));
const rules = alerts.split(/^ +- alert: /m).slice(1);
const queries = [
  ...rules.map((rule) => rule.match(/expr: ([^]*?)\n +(?:for|labels):/)[1]),
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  dashboard.templating.list[1].query.query,
];

// Name → [{ label: value }] of each sample, of a histogram under its own name.
function families(text) {
  const found = new Map();
  for (const line of text.split('\n')) {
    const [, name, inside = ''] = line.match(/^([a-z_]+)(?:\{(.*)\})? /) ?? [];
    if (!name) continue;
    const labels = Object.fromEntries(
      [...inside.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    );
    const family = name.replace(/_bucket$/, '');
    if (!found.has(family)) found.set(family, []);
    found.get(family).push(labels);
  }
  return found;
}

test('names, labels and their values are those of /metrics', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2, args: ['--workers', '2'] });
  t.after(stop);
  await login(nodes[0], 'ann');
  const told = families((await nodes[0].get('/metrics')).body);
  const asked = new Set();
  for (const query of queries) {
    const labels = new Set(FROM_PROMETHEUS);
    for (const [, name, selectors = ''] of query.matchAll(ASKED)) {
      const samples = told.get(name);
      assert.ok(samples, `${name} is not in /metrics: ${query}`);
      asked.add(name);
      for (const sample of samples) Object.keys(sample).forEach((label) => labels.add(label));
      for (const [, label, values] of selectors.matchAll(/(\w+)=~?"([^"]*)"/g)) {
        if (FROM_PROMETHEUS.includes(label)) continue;
        for (const value of values.split('|')) {
          const there = samples.some((sample) => sample[label] === value);
          assert.ok(there, `${name} never has ${label}="${value}": ${query}`);
        }
      }
    }
    for (const [, list] of query.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of list.split(', ')) assert.ok(labels.has(label), `${label}: ${query}`);
    }
  }
  assert.ok(queries.length > 50, `${queries.length} queries`);
  assert.ok(asked.size > 25, [...asked].join());
});
