// A back end that takes webhooks: what it has taken, in the order in which it came.
import { startBackend } from './hooks.mjs';
import { until } from './waiting.mjs';

// status: what it answers next; events: those of answered bodies, repeats left out; repeats.
export async function receiver({ secret } = {}) {
  const made = { status: 204, events: [], repeats: 0, bodies: [], gaps: [] };
  const seen = new Map();
  const answer = (body) => {
    if (made.status !== 204) return { status: made.status, body: 'no' };
    made.bodies.push(body);
    if (body.gap) made.gaps.push(body.gap);
    for (const event of body.events) {
      const text = JSON.stringify(event);
      if (seen.has(event.id)) {
        made.repeats++;
        if (seen.get(event.id) !== text) throw new Error(`another event with the id ${event.id}`);
      } else {
        seen.set(event.id, text);
        made.events.push(event);
      }
    }
    return { status: 204 };
  };
  const end = await startBackend({ answer, secret });
  made.backend = end;
  made.url = `${end.url}/hook`;
  made.of = (user) => made.events.filter((e) => e.user === user).map((e) => e.type);
  made.gets = (what, check, options) => until(() => check(made) || false, { what, timeout: 30000, ...options });
  return made;
}
