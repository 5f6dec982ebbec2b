// The names of keys on a Redis Cluster. There a name such as room:lobby belongs to one of P
// partitions, and each partition has a tag, which decides its slot.

export const PARTITIONS = 16;

// Of each partition in turn; tags of which the slots lie evenly apart.
const TAGS = [
  14, 712, 109, 13, 175, 203, 68, 172, 29, 133, 134, 242, 148, 52, 55, 753, 117, 261, 266, 110, 76,
  770, 777, 71, 736, 1, 6, 731, 227, 151, 156, 220, 270, 106, 101, 277, 761, 67, 60, 766, 21, 727,
  720, 26, 140, 236, 231, 147, 703, 269, 343, 118, 212, 164, 163, 79, 122, 9, 253, 125, 43, 159,
  742, 44,
];

export const SLOTS = 16384;

// CRC16 as Redis Cluster has it (XMODEM).
export function crc16(text) {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
    }
  }
  return crc;
}

export const partitionOf = (name, partitions = PARTITIONS) => crc16(name) % partitions;
export const tagOf = (partition) => String(TAGS[partition]);
export const tagOfName = (name, partitions) => tagOf(partitionOf(name, partitions));
export const allTags = (partitions = PARTITIONS) => TAGS.slice(0, partitions).map(String);

// CLUSTER KEYSLOT.
export function slotOf(key) {
  const [, tag] = key.match(/^[^{]*\{([^}]+)\}/) ?? [];
  return crc16(tag ?? key) % SLOTS;
}
