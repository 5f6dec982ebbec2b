// A page for visitors, and one for the operator, in a namespace of its own.
export function visitor({ io }) {
  const socket = io({ reconnection: false });
  const page = { id: null, gone: null };
  socket.on('connect', () => {
    page.id = socket.id;
  });
  socket.on('disconnect', (reason) => {
    page.gone = reason;
  });
  page.quit = () => socket.disconnect();
  return page;
}

export default function admin({ io }, password) {
  const socket = io('/admin', { auth: { password } });
  const page = { visitors: null, error: null, done: [] };
  socket.on('visitors', (ids) => {
    page.visitors = ids;
  });
  socket.on('connect_error', (error) => {
    page.error = error.message;
  });
  page.kick = (id) => socket.emit('kick', id, (answer) => page.done.push(answer));
  return page;
}
