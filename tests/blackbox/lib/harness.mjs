// The base of the black-box tests: Redis, nodes and WebSocket clients, each started on a free port
// of 127.0.0.1 and stopped by pid.
//
//     import assert from 'node:assert/strict';
//     import { cluster, login, test } from '../lib/harness.mjs';
//
//     test('a message crosses nodes', async (t) => {
//       const { nodes, stop } = await cluster({ nodes: 2 });
//       t.after(stop);
//       const ann = await login(nodes[0], 'ann');
//       const bob = await login(nodes[1], 'bob');
//       const ack = await ann.emit('private_message', { receiverId: 'bob', content: 'hi' });
//       const frame = await bob.next('new_private_message');
//       assert.equal(frame.data.seq, ack.seq);
//     });
//
// Nothing here keeps the process alive except a wait, and each wait has a time limit. When the last
// test is done, everything that was not stopped is stopped (and checked) here.

export { findProgram, request, stopAll, tempDir } from './processes.mjs';
export { cluster, startNode, startRedis } from './servers.mjs';
export { connect, inRoom, login } from './client.mjs';
export { freePort, hasComeTo, isManaged, mode, only, ROOT, sleep, test, unmanaged, until } from './waiting.mjs';
