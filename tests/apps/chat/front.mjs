// A chat: a nickname, who is there, who types.
export default function chat({ io }) {
  const socket = io();
  const log = []; // in place of a list on the page
  const typing = new Set();
  let username;

  const participants = ({ numUsers }) =>
    log.push(numUsers === 1 ? "there's 1 participant" : `there are ${numUsers} participants`);

  socket.on('login', (data) => {
    log.push('Welcome');
    participants(data);
  });
  socket.on('new message', (data) => {
    typing.delete(data.username);
    log.push(`${data.username}: ${data.message}`);
  });
  socket.on('user joined', (data) => {
    log.push(`${data.username} joined`);
    participants(data);
  });
  socket.on('user left', (data) => {
    log.push(`${data.username} left`);
    participants(data);
    typing.delete(data.username);
  });
  socket.on('typing', (data) => typing.add(data.username));
  socket.on('stop typing', (data) => typing.delete(data.username));
  socket.on('disconnect', () => log.push('you have been disconnected'));

  return {
    log,
    typing,
    enter(name) {
      username = name;
      socket.emit('add user', username);
    },
    say(message) {
      log.push(`${username}: ${message}`);
      socket.emit('new message', message);
      socket.emit('stop typing');
    },
    press: () => socket.emit('typing'),
  };
}
