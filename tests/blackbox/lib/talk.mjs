// Clients that keep talking through faults.

import assert from 'node:assert/strict';
import { log } from './registry.mjs';
import { sleep, until } from './waiting.mjs';

/*
 * Sends numbered messages to a room or a topic, or privately to a peer, one after the other, each
 * with a clientMessageId; messages that fail with `unavailable` are sent again until they are
 * acknowledged. Has: acked, [{ text, seq, timestamp }] in order; failures, the errors; stop(),
 * which awaits the last ack.
 */
export function talk(client, { room, topic, peer, pace = 2 }) {
  const self = { acked: [], failures: [] };
  let going = true;
  const payload = (text) => {
    if (room !== undefined) return ['sendMessage', { room, message: text }];
    if (topic !== undefined) return ['publish', { channel: `topic:${topic}`, data: text }];
    return ['private_message', { receiverId: peer, content: text }];
  };

  const sendOne = async (text) => {
    for (;;) {
      const [event, data] = payload(text);
      try {
        const ack = await client.emit(event, { ...data, clientMessageId: text });
        self.acked.push({ ...ack, text });
        return;
      } catch (error) {
        if (error.code !== 'unavailable') throw error;
        self.failures.push(error);
        await sleep(20);
      }
    }
  };

  const done = (async () => {
    for (let n = 1; going; n++) {
      await sendOne(`${client.user}-${n}`);
      await sleep(pace);
    }
  })();
  done.catch((error) => (self.error = error)); // shown by stop(), reached(), …
  self.stop = async () => {
    going = false;
    await done;
    return self.acked.map(({ text }) => text);
  };
  // Waits until so many more messages are acknowledged.
  self.more = async (n, timeout = 20000) => {
    const target = self.acked.length + n;
    const reached = () => {
      if (self.error) return true;
      return self.acked.length >= target;
    };
    await until(reached, { timeout, what: `${client.user} has ${n} more messages acknowledged` });
    if (self.error) throw self.error;
  };
  return self;
}

export const textOf = ({ data }) => data.message ?? data.content ?? data;

// The client has got exactly these texts of that sender, in this order.
export async function assertHeard(client, event, sender, texts) {
  const from = ({ data }) => (data.userId ?? data.senderId) === sender;
  const heard = () =>
    client.frames.filter((frame) => frame.event === event && from(frame)).map(textOf);
  await until(() => heard().includes(texts.at(-1)), {
    what: `${client.user} has heard the last of ${sender}: ${texts.at(-1)}`,
  });
  assert.deepEqual(heard(), texts);
}

// The channel's log holds exactly these texts of that sender, in this order, under ids <seq>-0.
export async function assertLogged(redis, channel, sender, acked) {
  const entries = await log(redis, channel);
  entries.forEach(({ id, frame }) => assert.equal(id, `${frame.seq}-0`));
  const theirs = entries.filter(
    ({ frame }) => (frame.data.userId ?? frame.data.senderId) === sender,
  );
  assert.deepEqual(
    theirs.map(({ frame }) => textOf(frame)),
    acked.map(({ text }) => text),
  );
}
