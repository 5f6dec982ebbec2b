import http from 'node:http';

const results = { cats: 0, dogs: 0 };
const tell = (to) => [{ to, event: 'results', data: results }];

function answer({ type, args }) {
  if (type === 'connect') return { emit: tell('me') };
  if (!(args?.[0] in results)) return { ack: 'no such choice' };
  results[args[0]]++;
  return { emit: tell('all') };
}

http.createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  response.end(JSON.stringify(answer(body)));
}).listen(process.env.PORT ?? 3000);
