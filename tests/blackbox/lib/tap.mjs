// What stands in the tap.
import { allTags } from './partitions.mjs';
import { mode, until } from './waiting.mjs';

// The entries, { id, n, term, type, user, channel, data }. On a Cluster they are in the order of each
// partition's stream, and one stream stands after the other.
export async function tapped(redis, key = 'sluice:tap') {
  const entries = JSON.parse(await redis.cli('--json', 'XRANGE', key, '-', '+'));
  return entries.map(([id, words]) => {
    const entry = { id };
    for (let i = 0; i < words.length; i += 2) entry[words[i]] = words[i + 1];
    return entry.data ? { ...entry, data: JSON.parse(entry.data) } : entry;
  });
}

// So many URLs of webhooks have a node that reads for them, in each partition. (A new URL begins with
// what happens from then on.)
export function leased(redis, urls = 1) {
  const count = urls * (mode() === 'single' ? 1 : allTags().length);
  const all = async () => JSON.parse(await redis.cli('--json', 'HVALS', 'sluice:tap:hooks'));
  return until(async () => (await all()).length === count, { what: 'leases' });
}
