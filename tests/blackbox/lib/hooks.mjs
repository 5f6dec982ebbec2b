// A back end: an HTTP server of the test that nodes call.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { after } from 'node:test';
import { until } from './waiting.mjs';

/*
 * Options: answer(body, headers), which returns what is answered: undefined or an object (200 with
 * that as JSON), { status, body } with a number in `status`, or 'cut' (the connection ends). A body
 * that is a text is sent as it is. It may be async. secret: each call must be signed by it.
 * Has: url; calls, { body, headers, path } in the order they came; answer, which may be replaced;
 * of(type), the bodies of that type; next(type, match), the first such body, each given once; stop()
 * and start(), which keeps the port.
 */
export async function startBackend({ answer = () => ({}), secret } = {}) {
  const backend = { calls: [], answer, sockets: new Set() };
  const taken = new Set();
  const server = http.createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const body = JSON.parse(text);
    const { headers, url: path } = request;
    backend.calls.push({ body, headers, path });
    check(body, headers, text);
    const told = await backend.answer(body, headers);
    if (told === 'cut') {
      request.socket.destroy();
      return;
    }
    const whole = typeof told?.status === 'number' ? told : { status: 200, body: told ?? {} };
    const said = whole.body ?? '';
    response.statusCode = whole.status;
    response.end(typeof said === 'string' ? said : JSON.stringify(said));
  });
  server.on('connection', (socket) => {
    backend.sockets.add(socket);
    socket.on('close', () => backend.sockets.delete(socket));
    socket.on('error', () => {});
  });

  function check(body, headers, text) {
    assert.deepEqual(Object.keys(body).slice(0, 3), ['id', 'type', 'time']);
    assert.equal(headers['sluice-event-id'], body.id);
    if (secret === undefined) return;
    const [t, ...signatures] = headers['sluice-signature'].split(',');
    assert.ok(Math.abs(Number(t.slice(2)) - Date.now() / 1000) < 300);
    const own = crypto.createHmac('sha256', secret).update(`${t.slice(2)}.${text}`).digest('hex');
    assert.ok(signatures.includes(`v1=${own}`), headers['sluice-signature']);
  }

  let port = 0;
  backend.start = () =>
    new Promise((resolve) => {
      server.listen(port, '127.0.0.1', () => {
        ({ port } = server.address());
        resolve();
      });
    });
  backend.stop = () =>
    new Promise((resolve) => {
      server.close(resolve);
      for (const socket of backend.sockets) socket.destroy();
    });
  backend.of = (type) => backend.calls.map(({ body }) => body).filter((body) => body.type === type);
  backend.next = async (type, match = () => true, options = {}) => {
    const wanted = (body) => !taken.has(body) && match(body);
    const what = () => `a call of the type ${type}; came: ${JSON.stringify(backend.of(type))}`;
    const body = await until(() => backend.of(type).find(wanted), { what, ...options });
    taken.add(body);
    return body;
  };
  await backend.start();
  backend.url = `http://127.0.0.1:${port}/hooks`;
  after(() => server.listening && backend.stop());
  return backend;
}
