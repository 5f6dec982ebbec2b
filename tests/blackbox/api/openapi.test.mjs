// The description of the API, and whether each route is as it is described.
import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import { caller, KEY, withKeys } from '../lib/api.mjs';
import { cluster, login, test } from '../lib/harness.mjs';

const ADMIN = 'an-admin-token-of-the-tests';
const { args, env } = withKeys();
const { nodes } = await cluster({ nodes: 1, args, env: { ...env, SLUICE_ADMIN_TOKEN: ADMIN } });
const { call, good } = caller(nodes[0]);
const description = await good('GET', '/openapi.json');

const ajv = new Ajv.default({ strict: false, validateFormats: false });
ajv.addSchema(description, 'api');
// A reference of the description, as one that is found from outside of it.
const outside = (schema) =>
  JSON.parse(JSON.stringify(schema, (key, value) => (key === '$ref' ? `api${value}` : value)));
const fits = (schema, value) => {
  const check = ajv.compile(outside(schema));
  assert.ok(check(value), `${JSON.stringify(value)}: ${ajv.errorsText(check.errors)}`);
};

const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

test('it is OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(description));
  assert.ok(valid, JSON.stringify(errors, null, 1));
  assert.equal(validator.version, '3.1');
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  const broken = structuredClone(description);
  delete broken.paths['/cluster'].get.responses;
  broken.paths['/cluster'].get.parameters = [{ name: 'x' }];
  assert.equal((await new Validator().validate(broken)).valid, false, 'the validator sees a fault');
});

// A request of each operation that is good, in an order in which it is.
const GOOD = {
  getCluster: {},
  listOnline: { query: '?search=a' },
  getUser: { parts: { id: 'ann' } },
  revokeUser: { parts: { id: 'ann' }, body: { before: 0 } },
  disconnectUser: { parts: { id: 'nobody' } },
  publish: { body: { channel: 'room:lobby', event: 'hi', data: 1 } },
  sendPrivateMessage: { body: { senderId: 'ann', receiverId: 42, content: 'x' } },
  sendRoomMessage: { body: { senderId: 'ann', room: 'lobby', message: 'x' } },
  batch: { body: { requests: [{ method: 'GET', path: '/cluster' }] } },
  areOnline: { body: { ids: ['ann', 42] } },
  putMember: { parts: { room: 'lobby', user: 'bob' } },
  deleteMember: { parts: { room: 'lobby', user: 'bob' } },
  listMembers: { parts: { room: 'lobby' }, query: '?limit=10' },
  getHistory: { parts: { channel: 'room:lobby' }, query: '?before=10&limit=5' },
  disconnectSocket: { parts: { socket: 'nobody' } },
  disconnectRoom: { parts: { room: 'nowhere' }, body: { except: ['user:ann'] } },
  getDescription: {},
  getDocs: {},
};
const send = async ({ path, method }, { parts = {}, query = '', body, headers } = {}) => {
  const where = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts[name]));
  return call(method, where + query, body, { headers });
};
const answers = ({ operation }, answer) => {
  let described = operation.responses[answer.status];
  assert.ok(described, `${operation.operationId} answers ${answer.status}: ${answer.body}`);
  if (described.$ref) described = description.components.responses[described.$ref.split('/').at(-1)];
  const [[type, { schema }]] = Object.entries(described.content);
  assert.ok(answer.headers['content-type'].startsWith(type), answer.headers['content-type']);
  fits(schema, type === 'application/json' ? answer.json() : answer.body);
};

test('each route answers as it is described', async () => {
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'lobby' });
  const known = operations.map(({ operation }) => operation.operationId);
  assert.deepEqual(Object.keys(GOOD).sort(), known.sort(), 'each has an example here');
  for (const [id, example] of Object.entries(GOOD)) {
    const one = operations.find(({ operation }) => operation.operationId === id);
    const answer = await send(one, example);
    assert.equal(answer.status, 200, `${id}: ${answer.body}`);
    answers(one, answer);
    const schema = one.operation.requestBody?.content['application/json'].schema;
    if (schema) fits(schema, example.body ?? {});
  }
});

test('each field is checked as it is described', async () => {
  // Values of which each is wrong for most fields.
  const values = [null, 0, -1, 1.5, 10 ** 12, true, '', 'a b', 'a{b', {}, [], [[]], [null], 'x'.repeat(200), ['a b']];
  for (const one of operations) {
    const schema = one.operation.requestBody?.content['application/json'].schema;
    const example = GOOD[one.operation.operationId];
    for (const [name, field] of Object.entries(schema?.properties ?? {})) {
      const check = ajv.compile(outside(field));
      for (const value of values.filter((value) => !check(value))) {
        const answer = await send(one, { ...example, body: { ...example.body, [name]: value } });
        assert.equal(answer.status, 400, `${one.path} ${name} ${JSON.stringify(value)}: ${answer.body}`);
        const { error } = answer.json();
        assert.deepEqual([error.code, error.field], ['bad_field', name]);
        answers(one, answer);
      }
    }
    for (const name of schema?.required ?? []) {
      const { [name]: _, ...rest } = example.body;
      const answer = await send(one, { ...example, body: rest });
      assert.equal(answer.status, 400, answer.body);
      assert.deepEqual(answer.json().error.code, 'missing_field');
      assert.deepEqual(answer.json().error.field, name);
      answers(one, answer);
    }
    for (const { name, in: place } of one.operation.parameters.filter((p) => p.in === 'path')) {
      const parts = { ...example.parts, [name]: 'a b' };
      const answer = await send(one, { ...example, parts });
      assert.equal(answer.status, 400, `${place} ${name} ${answer.body}`);
      assert.equal(answer.json().error.field, name);
      answers(one, answer);
    }
  }
});

test('each refusal from the head is described', async () => {
  for (const one of operations) {
    const where = one.path.replace(/\{(\w+)\}/g, 'x');
    const unknown = await call(one.method, where, undefined, { key: 'nobody' });
    assert.equal(unknown.status, 401);
    answers(one, unknown);
    const lets = /admin-token/.test(one.operation.description);
    const admin = await call(one.method, where, undefined, { key: ADMIN });
    assert.equal(admin.status === 403, !lets, `${one.path} ${admin.status}`);
    answers(one, admin);
  }
});

test('the page has every route, and needs nothing else', async () => {
  const page = await call('GET', '/docs');
  assert.match(page.headers['content-type'], /^text\/html/);
  for (const { path, method } of operations) assert.ok(page.body.includes(`${method} /api/v1${path}<`));
  assert.doesNotMatch(page.body, /<script|https?:|src=|@import|url\(/);
  assert.ok(!page.body.includes(KEY));
});
