import http from 'node:http';

const todos = new Map();
let last = 0;
const others = (event, data) => [{ to: 'all', except: ['me'], event, data }];
const wrong = ({ title }) => typeof title !== 'string' || title.trim() === '';
const invalid = { error: 'payload is invalid', errorDetails: [{ path: 'title', message: '"title" is not allowed to be empty' }] };
const missing = { error: 'entity not found' };

const events = {
  'todo:list': () => ({ ack: { data: [...todos.values()] } }),
  'todo:create'(payload) {
    if (wrong(payload)) return { ack: invalid };
    const todo = { ...payload, id: `t${++last}` };
    todos.set(todo.id, todo);
    return { ack: { data: todo.id }, emit: others('todo:created', todo) };
  },
  'todo:update'(todo) {
    if (!todos.has(todo.id)) return { ack: missing };
    if (wrong(todo)) return { ack: invalid };
    todos.set(todo.id, todo);
    return { emit: others('todo:updated', todo) };
  },
  'todo:delete': (id) => (todos.delete(id) ? { emit: others('todo:deleted', id) } : { ack: missing }),
};

http.createServer(async (request, response) => {
  const body = JSON.parse(Buffer.concat(await request.toArray()));
  response.end(JSON.stringify(events[body.event]?.(...body.args) ?? {}));
}).listen(process.env.PORT ?? 3000);
