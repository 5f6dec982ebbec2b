// Private messages: a session that the browser keeps, and one user on several devices.
export default function messages({ io, storage }) {
  const socket = io({ autoConnect: false });
  const page = { users: [], error: null, self: null };
  const user = (userID) => page.users.find((one) => one.userID === userID);

  const sessionID = storage.get('sessionID');
  if (sessionID) {
    socket.auth = { sessionID };
    socket.connect();
  }

  socket.on('session', ({ sessionID, userID }) => {
    socket.auth = { sessionID };
    storage.set('sessionID', sessionID);
    socket.userID = page.self = userID;
  });
  socket.on('users', (users) => {
    page.users = users.map((one) => ({ ...one, messages: user(one.userID)?.messages ?? [] }));
  });
  socket.on('user connected', (one) => {
    if (user(one.userID)) user(one.userID).connected = true;
    else page.users.push({ ...one, messages: [] });
  });
  socket.on('user disconnected', (userID) => {
    user(userID).connected = false;
  });
  socket.on('private message', ({ content, from, to }) => {
    const mine = from === socket.userID;
    user(mine ? to : from)?.messages.push({ content, mine });
  });
  socket.on('connect_error', (error) => {
    page.error = error.message;
  });

  page.choose = (username) => {
    socket.auth = { username };
    socket.connect();
  };
  page.send = (content, to) => {
    socket.emit('private message', { content, to });
    user(to).messages.push({ content, mine: true });
  };
  page.find = (username) => page.users.find((one) => one.username === username);
  return page;
}
