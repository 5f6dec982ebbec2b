// One attacker, a process of its own: attacker.mjs NAME '{"urls":[…],"identity":true,"ms":8000}'.
// It prints a line when it begins (a process at nice 19 may take long to start), and what it counted
// as JSON when its time is over.

import { attacks } from './attacks.mjs';

const [name, text] = process.argv.slice(2);
const { urls, identity, ms } = JSON.parse(text);
const until = Date.now() + ms;
const counts = {};
const tell = { count: (what) => (counts[what] = (counts[what] ?? 0) + 1) };

// Calls fn so many times a second; a call that fails counts, and stops nothing.
async function pace(perSecond, fn) {
  const from = Date.now();
  let done = 0;
  while (Date.now() < until) {
    const due = Math.min(((Date.now() - from) * perSecond) / 1000, done + perSecond / 10);
    for (; done < due; done++) {
      tell.count('tried');
      Promise.resolve(done).then(fn).catch((error) => tell.count(`failed: ${error.message.slice(0, 40)}`));
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

process.on('uncaughtException', (error) => tell.count(`failed: ${error.message.slice(0, 40)}`));
process.on('unhandledRejection', (error) => tell.count(`failed: ${error.message?.slice(0, 40)}`));
process.stdout.write('begun\n');
await attacks[name]({ urls, identity, until, pace, tell });
process.stdout.write(JSON.stringify(counts), () => process.exit(0));
