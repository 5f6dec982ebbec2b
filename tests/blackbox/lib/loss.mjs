// What was lost in a room or a topic where clients talked through a fault, and who was told.

import assert from 'node:assert/strict';
import { textOf } from './talk.mjs';
import { until } from './waiting.mjs';

/*
 * The talks go on for a little, and end. Then: nothing stands twice in the log, nobody heard a
 * message twice, everybody has all that the log has, and whoever had what it has not was told by a
 * channel_reset. texts(): resolves to the texts of the log as it is now; clients: all that hear it;
 * channel: as room:lobby.
 * Resolves to { lost, gap }: what was acknowledged and is not in the log, and for how many ms
 * nothing was appended at most.
 */
export async function judgeChannel({ texts, clients, talks, channel }) {
  for (const one of talks) await one.more(30);
  for (const one of talks) await one.stop();
  const log = await texts();
  const logged = new Set(log);
  assert.equal(logged.size, log.length, 'nothing stands twice in the log');
  const acked = talks.flatMap((one) => one.acked);
  const lost = acked.filter(({ text }) => !logged.has(text));
  const mine = (frame) => frame.channel === channel && frame.seq > 0;
  for (const { user, frames } of clients) {
    const heard = () => frames.filter(mine).map(textOf);
    await until(() => heard().includes(log.at(-1)), { what: `${user} hears ${log.at(-1)}` });
    const all = heard();
    // One that the old master had, and did not acknowledge any more, is sent again in a new epoch.
    const once = new Set(frames.filter(mine).map((frame) => `${frame.epoch} ${textOf(frame)}`));
    assert.equal(once.size, all.length, 'nobody hears a message twice');
    const had = new Set(all);
    const missed = log.filter((text) => !had.has(text));
    assert.deepEqual(missed, []);
    const resets = frames.filter(
      ({ event, data }) => event === 'channel_reset' && data.channel === channel,
    );
    const told = all.filter((text) => !logged.has(text));
    if (told.length) assert.ok(resets.length > 0, `${user} had ${told} and was not told`);
  }
  const times = acked.map(({ timestamp }) => timestamp).sort((x, y) => x - y);
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  return { lost, gap: Math.max(...gaps) };
}
