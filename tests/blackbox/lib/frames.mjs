// Assertions about frames, positions and refusals.

import assert from 'node:assert/strict';

// The bytes of a frame's `data`, its last member, as they came.
export const dataText = (frame) => frame.text.slice(frame.text.indexOf('"data":') + 7, -1);

// The logged frames of a channel that a client got, in the order received.
export function logged(client, channel) {
  return client.frames.filter((frame) => frame.channel === channel && frame.seq > 0);
}

// The messages of rooms that a client got, and their texts.
export const chats = ({ frames }) => frames.filter(({ event }) => event === 'chatMessage');
export const chatTexts = (client) => chats(client).map(({ data }) => data.message);

export const seqs = (frames) => frames.map((frame) => frame.seq);

// The whole numbers from..to.
export const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

// The promise must fail with this error code (and field).
export async function refused(promise, code, field) {
  const error = await promise.then(
    (data) => assert.fail(`expected ${code}, got the ack ${JSON.stringify(data)}`),
    (failure) => failure,
  );
  if (!error.frame) throw error;
  assert.equal(error.code, code, error.frame.text);
  if (field !== undefined) assert.equal(error.field, field, error.frame.text);
  assert.equal(typeof error.message, 'string');
  return error;
}

// A roster (userJoined's onlineUsers, Online_user) of exactly these ids, in any order.
export const roster = (...ids) => ({
  match: ({ data }) => JSON.stringify([...data].sort()) === JSON.stringify([...ids].sort()),
});

// Matches a frame whose data is this user: user_online, user_offline.
export const ofUser = (user, more) => ({ ...more, match: ({ data }) => data === user });

// The data of a frame has these members.
export const having = (fields) => ({
  match: ({ data }) => Object.entries(fields).every(([key, value]) => data?.[key] === value),
});
