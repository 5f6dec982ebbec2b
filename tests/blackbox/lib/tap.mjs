// What stands in the tap.

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
