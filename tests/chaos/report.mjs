// The output of a run: a line while it runs, and a table at its end.

const number = (n) => n.toLocaleString('en-US');
const seconds = (ms) => (ms < 0 ? '-' : `${(ms / 1000).toFixed(2)} s`);

export function progress(storm) {
  const { counts, findings } = storm.ledger;
  const now = [...storm.running].map(({ name, slot }) => (slot ? `${name}: ${slot}` : name));
  const parts = [
    `${storm.seconds.toFixed(0).padStart(4)} s`,
    `${number(storm.done.length)} faults`,
    `${number(counts.acknowledged)} acknowledged`,
    `${number(counts.received)} received`,
    `${counts.lost} lost, ${counts.duplicated} twice, ${counts.disordered} out of order`,
    `${findings.length} findings`,
  ];
  return `${parts.join('  ')}${now.length ? `  | ${now.join(', ')}` : ''}`;
}

// The value that so many values do not exceed; -1: there is none.
const of = (sorted, share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? -1;

const shares = (all, parts) => {
  const sorted = all.filter((ms) => ms >= 0).sort((a, b) => a - b);
  return parts.map((share) => of(sorted, share));
};

// For each kind: how long until the sends of all talkers were acknowledged again (half of the
// times, the longest), and until all listeners had a message sent after it (half, 90 %, the
// longest).
function byKind(storm) {
  const names = [...storm.faults, ...storm.done].map(({ name }) => name);
  return [...new Set(names)].map((name) => {
    const all = storm.done.filter((fault) => fault.name === name);
    const acked = all.map((fault) => fault.acked);
    const healed = all.map((fault) => fault.healed);
    const times = [...shares(acked, [0.5, 1]), ...shares(healed, [0.5, 0.9, 1])];
    return { name, count: all.length, times };
  });
}

export function table(storm) {
  const { counts, findings } = storm.ledger;
  const { presence } = storm.crowd;
  const rows = byKind(storm);
  const line = (name, count, times) =>
    `${name.padEnd(34)} ${String(count).padStart(6)} ${times.map((t) => t.padStart(9)).join('')}`;
  const kinds = rows.map(({ name, count, times }) => line(name, count, times.map(seconds)));
  const sums = [
    ['messages acknowledged', counts.acknowledged],
    ['received', counts.received],
    ['sent again', counts.resent],
    ['answered `unavailable`', counts.refused],
    ['lost', counts.lost],
    ['duplicated', counts.duplicated],
    ['out of order', counts.disordered],
    ['unanswered', counts.unanswered],
    ['lost, as allowed', counts.erased],
    ['lost, and somebody not told', counts.untold],
    ['lost before they came, told', counts.announced],
    ['lost before they came, not told', counts.untellable],
    ['announcements of losses', counts.told],
    ['unread counts', counts.unread],
    ['presence: checks', presence.counts.checks],
    ['presence: slowest to be right', `${presence.counts.slowest} ms`],
    ['presence: announcements heard', presence.counts.announcements],
    ['presence: announced twice', presence.counts.twice],
    ['findings', findings.length],
  ];
  return [
    line('', '', ['acked', '', 'healed', '', '']),
    line('fault', 'times', ['half in', 'longest', 'half in', '90 % in', 'longest']),
    ...kinds,
    line('all', storm.done.length, []),
    '',
    ...sums.map(([name, value]) => {
      const text = typeof value === 'number' ? number(value) : value;
      return `${name.padEnd(34)} ${text.padStart(12)}`;
    }),
  ].join('\n');
}
