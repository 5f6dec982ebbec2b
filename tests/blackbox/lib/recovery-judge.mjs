// Compares what the members of the random run heard with the logs in Redis: within one life,
// nothing may be missing, come twice or come out of order.

import { until } from './waiting.mjs';
import { log } from './registry.mjs';

const textOf = ({ data }) => data.message ?? data.content ?? data;
const senderOf = (text) => {
  const [, name, life] = text.split('|');
  return { name, life: Number(life) };
};

async function readLogs(redis, members) {
  const names = new Set();
  for (const { lives } of members) {
    for (const { channels } of lives) for (const name of channels.keys()) names.add(name);
  }
  const logs = new Map();
  for (const name of names) {
    const entries = (await log(redis, name)).map(({ frame }) => frame);
    logs.set(
      name,
      entries.map((frame) => ({ seq: frame.seq, text: textOf(frame) })),
    );
  }
  return logs;
}

/*
 * The part of the log that a member must hear in a stretch, in order. Its own messages do not come
 * back on the connection on which it wrote them. Those of an earlier life may come on this one.
 */
function expectedIn(entries, from, member, life, heard) {
  return entries.filter(({ seq, text }) => {
    const sender = senderOf(text);
    if (seq <= from) return false;
    if (!text.startsWith('user:') || sender.name !== member.name) return true;
    return sender.life !== life.n && heard.has(text);
  });
}

function beginOf(stretch, seqs) {
  const first = seqs[0] ?? Infinity;
  if (stretch.from === null) return first === Infinity ? null : first - 1;
  if (stretch.asked > 1) return Math.min(stretch.from, first - 1);
  return stretch.from;
}

function compare(member, life, channel, stretch, entries, complete) {
  const seqOf = new Map(entries.map(({ seq, text }) => [text, seq]));
  const heard = stretch.heard.map(({ text }) => text);
  const where = `${member.name}, life ${life.n}, ${channel}`;
  const stray = heard.find((text) => !seqOf.has(text));
  if (stray) return `${where}: ${stray} is not in the log`;
  const begin = beginOf(stretch, heard.map((text) => seqOf.get(text)));
  if (begin === null) return null;
  const expected = expectedIn(entries, begin, member, life, new Set(heard)).map(({ text }) => text);
  const wrong = heard.findIndex((text, i) => text !== expected[i]);
  const tell = (i) => `${heard[i]} (${seqOf.get(heard[i])}) at ${new Date(stretch.heard[i].at).toISOString()}`;
  if (wrong >= 0) {
    const before = wrong ? `behind ${tell(wrong - 1)}` : `as the first, behind ${begin}`;
    const kind = heard.indexOf(heard[wrong]) < wrong ? 'twice' : 'out of order or behind a hole';
    return `${where}: ${tell(wrong)} ${kind}, ${before}; expected ${expected[wrong]}`;
  }
  if (complete && heard.length < expected.length) {
    return `${where}: has ${heard.length} of ${expected.length}, lacks ${expected[heard.length]}`;
  }
  return null;
}

function faultsOf(members, logs) {
  const found = [];
  for (const member of members) {
    for (const life of member.lives) {
      for (const [channel, stretches] of life.channels) {
        stretches.forEach((stretch, i) => {
          const isLast = life === member.life && i === stretches.length - 1;
          const complete = isLast && !stretch.leaving && stretch.from !== null;
          const wrong = compare(member, life, channel, stretch, logs.get(channel), complete);
          if (wrong) found.push({ text: wrong, member });
        });
      }
    }
    for (const { text, channel, seq } of member.acked) {
      const at = logs.get(channel).filter((entry) => entry.text === text);
      const good = at.length === 1 && (seq === null || at[0].seq === seq);
      if (!good) found.push({ text: `${text}, acknowledged as ${seq}: ${JSON.stringify(at)}`, member });
    }
  }
  return found;
}

// Called when all members are silent: gives the last messages time to come, and then tells what is
// wrong.
export async function judge(redis, members) {
  const logs = await readLogs(redis, members);
  for (const [name, entries] of logs) {
    entries.forEach(({ seq }, i) => {
      if (seq !== i + 1) throw new Error(`${name} has ${seq} as its number ${i + 1}`);
    });
  }
  let found = [];
  const none = () => (found = faultsOf(members, logs)).length === 0;
  await until(none, { timeout: 15000, every: 200 }).catch(() => {});
  return found;
}
