// The well-behaved: a process of its own, with users in small rooms who chat. It is told over IPC:
// { window: ms } measures for so long and answers with what was seen; { end } ends it.
//
//     crowd.mjs '{"urls":[…],"users":200,"rooms":10,"every":4000,"identity":true}'

import { performance } from 'node:perf_hooks';
import { login, sleep } from '../blackbox/lib/harness.mjs';
import { token } from '../blackbox/lib/token.mjs';

const { urls, users, rooms, every, identity } = JSON.parse(process.argv[2]);
const seen = { times: [], closed: [], errors: {}, sent: 0 };
let over = false;

const fail = (error) => {
  const name = error.code ?? error.message.slice(0, 60);
  seen.errors[name] = (seen.errors[name] ?? 0) + 1;
};

async function user(i) {
  const id = `good-${i}`;
  const room = `good-room-${i % rooms}`;
  const client = await login({ url: urls[i % urls.length] }, id, identity ? { token: token(id) } : {}, { timeout: 30000 });
  await client.emit('join', { room }, { timeout: 30000 });
  client.closed.then(({ code, reason }) => over || seen.closed.push(`${code} ${reason}`));
  client.socket.on('message', (bytes) => {
    client.frames.length = 0;
    client.take('chatMessage');
    const [, at] = bytes.toString().match(/"message":"at (\d+\.?\d*)"/) ?? [];
    if (at) seen.times.push(performance.now() - Number(at));
  });
  const talk = async () => {
    await sleep(Math.random() * every);
    while (!over && client.isOpen) {
      const message = `at ${performance.now().toFixed(2)}`;
      seen.sent++;
      client.emit('sendMessage', { room, message }, { timeout: 60000 }).catch((error) => over || fail(error));
      await sleep(every * (0.5 + Math.random()));
    }
  };
  return talk;
}

function take() {
  const times = seen.times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor((times.length - 1) * share)] ?? Infinity;
  const result = { p50: at(0.5), p99: at(0.99), count: times.length, sent: seen.sent, closed: seen.closed, errors: seen.errors };
  Object.assign(seen, { times: [], closed: [], errors: {}, sent: 0 });
  return result;
}

const all = [];
for (let i = 0; i < users; i += 20) {
  all.push(...(await Promise.all(Array.from({ length: Math.min(20, users - i) }, (_, k) => user(i + k)))));
}
for (const talk of all) talk();

process.on('message', async ({ window, end }) => {
  if (end) {
    over = true;
    process.exit(0);
  }
  take();
  await sleep(window);
  process.send(take());
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });
