// Signalling for WebRTC: by socket ids, with bytes.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('video', async ({ page, open }) => {
  const [ann, bob, eve] = [page(open()), page(open()), page(open())];
  ann.enter('meeting 1');
  await until(() => ann.id());
  eve.enter('another');
  bob.enter('meeting 1');
  await until(() => bob.peers.get(ann.id())?.candidates.length > 0 || ann.peers.get(bob.id())?.candidates.length > 0);
  const [caller, called] = ann.peers.get(bob.id()).answer ? [ann, bob] : [bob, ann];
  assert.deepEqual(caller.peers.get(called.id()).answer, { type: 'answer', sdp: `v=0 of ${called.id()}` });
  const { offers, candidates } = called.peers.get(caller.id());
  assert.deepEqual(offers, [{ type: 'offer', sdp: `v=0 of ${caller.id()}` }]);
  assert.deepEqual(candidates, [[1, 2, 250]]);
  assert.equal(eve.peers.size, 0);
});
