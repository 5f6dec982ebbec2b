// nginx with the files of deploy/nginx: nodes come and go behind it, clients do not notice.
import assert from 'node:assert/strict';
import http from 'node:http';
import { connect, login, request, startNode, test, until } from '../lib/harness.mjs';
import { clusterBehindNginx, startNginx } from '../lib/nginx.mjs';
import { connections } from '../lib/registry.mjs';

const DRAIN = ['--drain', '1s'];

async function stand(t, options) {
  const all = await clusterBehindNginx(options);
  t.after(all.stop);
  return all;
}

// Asks for `where` again and again; settled() resolves when what was asked before is answered, and
// stop() fails if an answer was other than 200.
function keepAsking(nginx, where) {
  const wrong = [];
  let asked = 0;
  let stopped = false;
  const asking = (async () => {
    while (!stopped) {
      const answer = await request(nginx.url + where).catch((error) => ({ status: error.code }));
      asked++;
      if (answer.status === 200) continue;
      wrong.push(`${new Date().toISOString()} ${answer.status} ${answer.body ?? ''}`);
    }
  })();
  return {
    async settled() {
      const before = asked;
      await until(() => asked > before, { what: `an answer of ${where}` });
    },
    async stop() {
      await until(() => asked > 10, { what: `${where} is asked for often enough` });
      stopped = true;
      await asking;
      assert.deepEqual(wrong, [], `${where}, of ${asked}; nginx: ${nginx.log().slice(-4000)}`);
    },
  };
}

test('a client cannot say who it is: the node gets the address that nginx saw', async (t) => {
  const { redis, nginx } = await stand(t, { args: ['--real-address-header', 'X-Real-IP'] });
  const forged = { 'X-Real-IP': '203.0.113.9', 'X-Forwarded-For': '203.0.113.9' };
  await login(nginx, 'ann', {}, { headers: forged });
  const [conn] = await connections(redis, 'ann');
  assert.match(conn.address, /^127\.0\.0\.1/);
});

test('sockets are spread over the nodes and speak across them', async (t) => {
  const { nginx, nodes } = await stand(t, { nodes: 3 });
  const clients = [];
  for (let i = 0; i < 12; i++) clients.push(await login(nginx, `u${i}`));
  for (const node of nodes) {
    const mine = clients.filter((client) => client.ack.node === node.id).length;
    assert.ok(mine >= 3 && mine <= 5, `${node.id} has ${mine} of 12`);
  }
  for (const client of clients) await client.emit('join', { room: 'r' });
  await clients[0].emit('sendMessage', { room: 'r', message: 'hello' });
  for (const client of clients) await client.next('chatMessage');
});

test('a node that is killed costs no request', async (t) => {
  const { nginx, nodes } = await stand(t, { nodes: 3 });
  const asking = ['/', '/sluice.js', '/readyz'].map((where) => keepAsking(nginx, where));
  await nodes[0].kill();
  for (let i = 0; i < 20; i++) {
    const client = await login(nginx, `u${i}`);
    assert.notEqual(client.ack.node, nodes[0].id);
  }
  for (const one of asking) await one.stop();
});

test('nodes that are replaced one by one cost no request', async (t) => {
  const { redis, nginx, nodes } = await stand(t, { args: DRAIN });
  const asking = ['/', '/readyz'].map((where) => keepAsking(nginx, where));
  const clients = [];
  for (let i = 0; i < 10; i++) {
    const client = await login(nginx, `u${i}`);
    await client.emit('join', { room: 'r' });
    clients.push(client);
  }
  for (const old of nodes) {
    const theirs = clients.filter((client) => client.ack.node === old.id);
    assert.ok(theirs.length > 0);
    const end = old.stop('SIGTERM');
    for (const client of theirs) {
      assert.deepEqual(await client.closed, { code: 1012, reason: 'restart' });
      const back = await login(nginx, client.user, { resume: client.positions });
      assert.equal(back.ack.recovered, true);
      assert.notEqual(back.ack.node, old.id);
      clients[clients.indexOf(client)] = back;
    }
    assert.equal((await end).code, 0);
    const fresh = await startNode({ redis, port: old.port, args: DRAIN });
    t.after(() => fresh.stop());
    await until(async () => {
      const client = await login(nginx, 'probe');
      await client.close();
      return client.ack.node === fresh.id;
    });
    // Who asked the one before it was there must not find the other one draining.
    for (const one of asking) await one.settled();
  }
  for (const one of asking) await one.stop();
});

test('while Redis is away no node is taken out: pages and sockets go on', async (t) => {
  const { redis, nginx, nodes } = await stand(t);
  await redis.stop();
  for (const node of nodes) await node.untilNotReady();
  for (let i = 0; i < 6; i++) {
    const ready = await request(`${nginx.url}/readyz`);
    assert.deepEqual([ready.status, ready.json().reason], [503, 'redis']);
    assert.equal((await request(`${nginx.url}/`)).status, 200);
    await (await connect(nginx)).close();
  }
  await redis.restart();
});

test('without a node 502; with one again, within a second or two', async (t) => {
  const { redis, nginx, nodes } = await stand(t);
  await nodes[0].kill();
  await nodes[1].kill();
  assert.equal((await request(`${nginx.url}/`)).status, 502);
  const back = await startNode({ redis, port: nodes[1].port });
  t.after(() => back.stop());
  await until(async () => (await request(`${nginx.url}/`)).status === 200);
});

// A node that answers as `status` tells from the number of the request.
async function standIn(t, status) {
  let count = 0;
  const server = http.createServer((req, res) => {
    res.statusCode = req.url === '/readyz' ? 200 : status(++count);
    res.end(`request ${count}`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { port: server.address().port };
}

// One drains. The other one was starting when it was asked, and is ready since.
test('a request that only reads and that every node refused is asked once more', async (t) => {
  const starting = await standIn(t, (count) => (count === 1 ? 503 : 200));
  const draining = await standIn(t, () => 503);
  const nginx = await startNginx([starting, draining]);
  t.after(nginx.stop);
  const { status, body } = await request(`${nginx.url}/`);
  assert.deepEqual([status, body], [200, 'request 2']);
});

test('a refusal by every node stays one, and has the words of the node if it may', async (t) => {
  const nodes = [await standIn(t, () => 503), await standIn(t, () => 503)];
  const nginx = await startNginx(nodes);
  t.after(nginx.stop);
  const read = await request(`${nginx.url}/`);
  assert.equal(read.status, 503);
  assert.match(read.body, /^request \d$/);
  assert.equal((await request(`${nginx.url}/`, { method: 'POST', body: 'x' })).status, 503);
});
