export default (io) => {
  const todos = new Map();
  let last = 0;
  const wrong = ({ title }) => typeof title !== 'string' || title.trim() === '';
  const invalid = { error: 'payload is invalid', errorDetails: [{ path: 'title', message: '"title" is not allowed to be empty' }] };
  io.on('connection', (socket) => {
    socket.on('todo:list', (callback) => callback({ data: [...todos.values()] }));
    socket.on('todo:create', (payload, callback) => {
      if (wrong(payload)) return callback(invalid);
      const todo = { ...payload, id: `t${++last}` };
      todos.set(todo.id, todo);
      callback({ data: todo.id });
      socket.broadcast.emit('todo:created', todo);
    });
    socket.on('todo:update', (todo, callback) => {
      if (!todos.has(todo.id)) return callback({ error: 'entity not found' });
      if (wrong(todo)) return callback(invalid);
      todos.set(todo.id, todo);
      callback();
      socket.broadcast.emit('todo:updated', todo);
    });
    socket.on('todo:delete', (id, callback) => {
      if (!todos.delete(id)) return callback({ error: 'entity not found' });
      callback();
      socket.broadcast.emit('todo:deleted', id);
    });
  });
};
