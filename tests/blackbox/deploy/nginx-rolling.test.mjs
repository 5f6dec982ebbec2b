// Nodes replaced one after the other behind nginx, under load, as OPERATIONS.md says: no request
// gets 502, 503 or 504, whatever its kind.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { connect, cluster, request, startNode, test, until } from '../lib/harness.mjs';
import { clusterBehindNginx } from '../lib/nginx.mjs';

const DRAIN = ['--drain', '1s'];
const POLLING = '/socket.io/?EIO=4&transport=polling';

// Does `one` again and again, `width` at a time; counts statuses of 500 and more, and errors.
function keepDoing(what, width, one) {
  const wrong = {};
  let done = 0;
  let stopped = false;
  const note = (status) => {
    done++;
    if (typeof status !== 'number' || status >= 500) wrong[status] = (wrong[status] ?? 0) + 1;
  };
  const loop = async () => {
    while (!stopped) await one(note).catch((error) => note(error.code ?? error.message));
  };
  const all = Array.from({ length: width }, loop);
  return {
    async stop() {
      stopped = true;
      await Promise.all(all);
      assert.ok(done >= 10, `${what}: ${done} done`);
      return [what, done, wrong];
    },
  };
}

const page = (nginx) => async (note) => note((await request(`${nginx.url}/`)).status);

// A session by polling: its handshake, posts and polls; over when the node that had it goes.
const polling = (nginx) => async (note) => {
  const opened = await request(nginx.url + POLLING);
  note(opened.status);
  if (opened.status !== 200) return;
  const { sid } = JSON.parse(opened.body.slice(1));
  const session = `${nginx.url}${POLLING}&sid=${sid}`;
  const texts = ['40', `420["login",{"userId":"p${sid}"}]`];
  for (let i = 1; i < 9; i++) texts.push(`42${i}["heartbeat",{}]`);
  for (let i = 0, status = 200; i < texts.length && status === 200; i++) {
    const post = await request(session, { method: 'POST', body: texts[i] });
    note(post.status);
    ({ status } = post);
    // The answer to the text, or that the session is over.
    if (status === 200) note(({ status } = await request(session)).status);
  }
  await request(session, { method: 'POST', body: '1' }).then(({ status }) => note(status));
};

const socket = (nginx) => async (note) => {
  const client = await connect(nginx).catch((error) => error);
  if (client instanceof Error) return note(client.status ?? client.code ?? client.message);
  note(101);
  await client.close();
};

function load(nginx) {
  const all = [
    keepDoing('pages', 2, page(nginx)),
    keepDoing('polling', 4, polling(nginx)),
    keepDoing('handshakes', 2, socket(nginx)),
  ];
  return async () => {
    const ends = await Promise.all(all.map((one) => one.stop()));
    for (const [what, done, wrong] of ends) {
      assert.deepEqual(wrong, {}, `${what}, of ${done}; nginx: ${nginx.log().slice(-4000)}`);
    }
    return ends;
  };
}

async function replace(t, { redis, nginx, nodes }) {
  for (const [i, old] of nodes.entries()) {
    assert.equal((await old.stop('SIGTERM')).code, 0);
    nodes[i] = await startNode({ redis, port: old.port, args: DRAIN }); // until it is ready
    t.after(() => nodes[i].stop());
  }
}

for (const count of [2, 3]) {
  test(`${count} nodes, each on the port that it had`, async (t) => {
    const all = await clusterBehindNginx({ nodes: count, args: DRAIN });
    t.after(all.stop);
    const stop = load(all.nginx);
    await replace(t, all);
    await replace(t, all);
    await stop();
  });
}

test('nginx that keeps connections to the nodes', async (t) => {
  const edit = (text) => text.replace(/(upstream sluice \{[^}]*)\}/, '$1keepalive 16;\n}');
  const more = 'location /kept/ { proxy_set_header Connection ""; proxy_pass http://sluice/; }\n';
  const all = await clusterBehindNginx({ nodes: 2, args: DRAIN, nginx: { edit, more } });
  t.after(all.stop);
  const kept = { url: `${all.nginx.url}/kept` };
  const asking = [keepDoing('pages', 4, page(kept)), keepDoing('polling', 4, polling(kept))];
  await replace(t, all);
  for (const one of asking) {
    const [what, done, wrong] = await one.stop();
    assert.deepEqual(wrong, {}, `${what}, of ${done}`);
  }
});

test('a node that drains answers on kept connections, and says that they end', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--drain', '2s'] });
  t.after(stop);
  const [node] = nodes;
  const held = await connect(node);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () =>
    new Promise((resolve, reject) => {
      const answered = (res) => res.resume().on('end', () => resolve(res));
      http.get(`${node.url}/`, { agent }, answered).on('error', reject);
    });
  assert.notEqual((await ask()).headers.connection, 'close');
  const quiet = net.connect(node.port, '127.0.0.1');
  await new Promise((resolve) => quiet.on('connect', resolve));
  const ended = node.stop('SIGTERM');
  await node.untilNotReady();
  const last = await ask();
  assert.deepEqual([last.statusCode, last.headers.connection], [200, 'close']);
  assert.equal((await ask()).statusCode, 200, 'a new connection is served, too');
  const end = await held.closed;
  assert.equal(end.code, 1012);
  // Connected before the port went, and slow to ask: it is answered nevertheless.
  quiet.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const text = await new Promise((resolve) => {
    let all = '';
    quiet.on('data', (data) => (all += data)).on('close', () => resolve(all)).on('error', () => {});
  });
  assert.match(text, /^HTTP\/1\.1 200 /);
  agent.destroy();
  assert.equal((await ended).code, 0);
});
