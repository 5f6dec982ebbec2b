// What the documents print is what a reader gets: their sessions are played against real nodes,
// their lists have all that there is, and their links lead somewhere.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, connect, ROOT, test, until } from '../lib/harness.mjs';

const read = (file) => fs.readFileSync(path.join(ROOT, file), 'utf8');
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const rows = (macro, file) => all(read(file), new RegExp(`^ {4}${macro}\\(\\w+, "(\\w+)"`, 'gm'));
const markdown = ['', 'deploy', 'deploy/docs', 'gateway', 'gateway/docs'].flatMap((dir) =>
  fs
    .readdirSync(path.join(ROOT, dir))
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join(dir, name)),
);
const pages = new Map(markdown.map((page) => [page, read(page)]));

// ---- Sessions: lines `ann> {…}` are sent, `ann< {…}` come; `ann: Ctrl-C` ends a connection. A
// line that begins with five spaces goes on with the one before it.

const sessionOf = (text) =>
  text
    .replace(/\n {5}/g, '')
    .split('\n')
    .map((line) => line.match(/^(\w+)(>|<|:) (.*)$/))
    .filter((match) => match && /^(ann|bob|cat|redis)$/.test(match[1]));

const CHANGES = /"(?:connectionId|node|epoch|origin)":"[^"]*"|"time(?:stamp)?":\d+/g;
const alike = (text) => text.replace(CHANGES, (one) => one.replace(/:.*/, ':0'));
const epochs = (text) => all(text, /"epoch":"(\w+)"/g);

async function play(session, { nodes, redis }) {
  const clients = new Map();
  const known = new Map(); // epochs: as printed, as they are here
  const taken = new Set();
  for (const [line, name, sign, rest] of session) {
    if (name === 'redis') {
      const [, ...words] = line.match(/"[^"]*"|[^\s"]+/g);
      assert.doesNotMatch(await redis.cli(...words.map((word) => word.replaceAll('"', ''))), /ERR/);
      continue;
    }
    if (!clients.has(name)) clients.set(name, await connect(nodes[clients.size % nodes.length]));
    const client = clients.get(name);
    if (sign === ':') {
      await client.close();
      clients.delete(name);
    } else if (sign === '>') {
      client.raw(rest.replace(/(?<="epoch":")\w+/g, (epoch) => known.get(epoch) ?? epoch));
    } else {
      const isIt = (frame) => !taken.has(frame) && alike(frame.text) === alike(rest);
      const frame = await until(() => client.frames.find(isIt), { what: line });
      taken.add(frame);
      const here = epochs(frame.text);
      epochs(rest).forEach((epoch, i) => known.set(epoch, here[i]));
    }
  }
  for (const client of clients.values()) await client.close();
}

for (const files of [
  ['gateway/PROTOCOL.md', 'gateway/docs/events.md'],
  ['gateway/docs/recovery.md'],
]) {
  test(`the session of ${files.join(' and ')} is what a reader gets`, async () => {
    const session = sessionOf(files.map((file) => pages.get(file)).join('\n'));
    assert.ok(session.length > 10);
    const { nodes, redis, stop } = await cluster({ nodes: 2 });
    await play(session, { nodes, redis });
    await stop();
  });
}

// ---- Lists

test('each event has a heading, and each error code a row', () => {
  const headings = all(pages.get('gateway/docs/events.md'), /^### (\w+)$/gm);
  const events = rows('X', 'common/event.h');
  assert.ok(events.length > 10);
  for (const event of events) assert.ok(headings.includes(event), event);
  const codes = all(pages.get('gateway/PROTOCOL.md'), /^\| `(\w+)` \|/gm);
  const errors = rows('X', 'common/err.h').filter((code) => code !== 'ok');
  assert.deepEqual(
    codes.filter((code) => errors.includes(code)),
    errors,
  );
});

test('each family of metrics has a row', async () => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--workers', '2'] });
  const text = (await nodes[0].get('/metrics')).body;
  const families = all(text, /^# TYPE (sluice_\w+)/gm);
  const named = all(pages.get('deploy/docs/metrics.md'), /`(sluice_\w+)`/g);
  assert.deepEqual(families.filter((family) => !named.includes(family)), []);
  assert.deepEqual(named.filter((family) => !families.includes(family)), []);
  await stop();
});

// ---- Form

const anchor = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-');

const withoutCode = (text) => text.replace(/^```[^]*?^```$/gm, '');

test('lines of prose have at most 100 columns', () => {
  for (const [page, text] of pages) {
    const long = withoutCode(text).split('\n').filter((line) => line.length > 100 && !/^[|!]/.test(line));
    assert.deepEqual(long, [], page);
  }
});

test('links lead to files and headings that are there', () => {
  for (const [page, text] of pages) {
    for (const link of all(withoutCode(text), /\]\(([^)\s]+)\)/g)) {
      if (/^\w+:/.test(link)) continue;
      const [file, heading] = link.split('#');
      const target = file === '' ? page : path.join(path.dirname(page), file);
      assert.ok(fs.existsSync(path.join(ROOT, target)), `${page}: ${link}`);
      if (heading === undefined) continue;
      const headings = all(withoutCode(pages.get(target)), /^#+ (.*)$/gm).map(anchor);
      assert.ok(headings.includes(heading), `${page}: ${link}`);
    }
  }
});
