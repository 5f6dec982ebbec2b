// permessage-deflate (RFC 7692) from a node to its clients: who gets what form of a message, and
// that it is compressed once for all of them.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { metricChanges } from '../lib/registry.mjs';

const args = ['--deflate', '--channels', 'events'];
const { nodes } = await cluster({ nodes: 2, args });
const OFFER = { perMessageDeflate: true };

const prose = (bytes) => 'The quick brown fox jumps over the lazy dog. '.repeat(bytes / 45 + 1).slice(0, bytes);

test('a compressed message comes as it was published', async () => {
  const ann = await login(nodes[0], 'ann', {}, OFFER);
  assert.match(ann.socket.extensions, /^permessage-deflate/);
  await ann.emit('subscribe', { channel: 'topic:a' });
  const rise = await metricChanges(nodes[0], async () => {
    await ann.emit('publish', { channel: 'topic:a', data: prose(1000) });
    assert.equal((await ann.next('message')).data, prose(1000));
  });
  assert.equal(rise('sluice_deflated_messages_total'), 1);
  assert.ok(rise('sluice_deflated_packed_bytes_total') < 300);
});
