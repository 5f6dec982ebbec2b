// Random numbers from a seed (mulberry32), and choices made with them.

export function randomOf(seed) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    between: (low, high) => low + (high - low) * next(),
    chance: (p) => next() < p,
    pick: (list) => list[Math.floor(next() * list.length)],
    // One of [{ weight }], each as often as its weight says.
    weighed(list) {
      let at = next() * list.reduce((sum, { weight }) => sum + weight, 0);
      return list.find(({ weight }) => (at -= weight) < 0) ?? list.at(-1);
    },
    seed: () => Math.floor(next() * 2 ** 31),
  };
}
