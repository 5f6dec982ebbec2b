// A list that several people edit: acknowledgements, and errors of validation.
export default function todo({ io }) {
  const socket = io();
  const todos = new Map();
  const put = (one) => todos.set(one.id, one);

  socket.on('connect', () => {
    socket.emit('todo:list', (answer) => {
      todos.clear();
      answer.data.forEach(put);
    });
  });
  socket.on('todo:created', put);
  socket.on('todo:updated', put);
  socket.on('todo:deleted', (id) => todos.delete(id));

  const ask = (event, ...args) =>
    new Promise((resolve) => socket.timeout(5000).emit(event, ...args, (late, answer) => resolve(late ?? answer)));

  return {
    todos,
    async add(title) {
      const answer = await ask('todo:create', { title, completed: false });
      if (answer.error) return answer;
      put({ id: answer.data, title, completed: false });
      return answer;
    },
    async toggle(id) {
      const changed = { ...todos.get(id), completed: !todos.get(id).completed };
      const answer = await ask('todo:update', changed);
      if (!answer?.error) put(changed);
      return answer;
    },
    async remove(id) {
      const answer = await ask('todo:delete', id);
      if (!answer?.error) todos.delete(id);
      return answer;
    },
  };
}
