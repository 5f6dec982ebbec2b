// The way through Redis of the servers in this directory: PUBLISH, and SUBSCRIBE once a channel.
import { createClient } from 'redis';

// onMessage(channel, text) is called for each message of a channel. Both functions resolve when
// Redis has answered.
export async function hop(port, onMessage) {
  const pub = createClient({ url: `redis://127.0.0.1:${port}` });
  const sub = pub.duplicate();
  for (const link of [pub, sub]) {
    link.on('error', (error) => {
      console.error(error.message);
      process.exit(1);
    });
    await link.connect();
  }
  const channels = new Map();
  return {
    publish: (channel, text) => pub.publish(channel, text),
    subscribe(channel) {
      if (!channels.has(channel)) {
        channels.set(channel, sub.subscribe(channel, (text) => onMessage(channel, text)));
      }
      return channels.get(channel);
    },
  };
}
