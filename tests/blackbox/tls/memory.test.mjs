// What an idle connection under TLS holds more than a plain one.
import assert from 'node:assert/strict';
import { connect, test, until } from '../lib/harness.mjs';
import { metricOf, secureCluster } from '../lib/certificates.mjs';

const COUNT = 200;

for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
  test(`less than 16 KiB, and nothing is left of it afterwards (${maxVersion})`, async (t) => {
    const { nodes, stop } = await secureCluster();
    t.after(stop);
    const [node] = nodes;
    const held = () => metricOf(node, 'sluice_held_bytes{what="tls"}');
    await held(); // what the first connection makes stays
    const before = await held();
    const open = [];
    for (let i = 0; i < COUNT; i++) open.push(await connect(node, { maxVersion }));
    const each = ((await held()) - before) / COUNT;
    assert.ok(each > 1000 && each < 15000, `${each} bytes a connection`);
    for (const client of open) client.terminate();
    await until(async () => (await held()) - before < 50000, { what: 'it is given back' });
  });
}
