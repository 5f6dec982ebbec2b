// A back end for hooks: an HTTP server whose handler gets each call, and answers an object or
// { status, body } (a string is sent as it is).
import http from 'node:http';
import { once } from 'node:events';
import { after } from 'node:test';

/*
 * handler(body, call): body is the JSON of the call, call has url, headers, text. What it returns
 * (or resolves to) is answered with 200; undefined: 204; a function gets the response itself.
 * The server has: url, calls (all that came), on (the handler, which may be replaced), stop().
 */
export async function backend(handler = () => undefined) {
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const call = { url: request.url, headers: request.headers, text, body: JSON.parse(text) };
    made.calls.push(call);
    const answer = await made.on(call.body, call);
    if (typeof answer === 'function') answer(response);
    else if (answer === undefined) response.writeHead(204).end();
    else if (answer.status) response.writeHead(answer.status).end(text_of(answer.body));
    else response.end(text_of(answer));
  });
  const text_of = (body) => (typeof body === 'string' ? body : JSON.stringify(body));
  const made = {
    calls: [],
    on: handler,
    server,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  made.url = `http://127.0.0.1:${server.address().port}`;
  after(() => made.stop());
  return made;
}
