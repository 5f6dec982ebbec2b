// The page of a site with a login of its own: the browser sends the site's cookie along.
export default function page({ io }) {
  const socket = io({ withCredentials: true });
  const page = { me: null, lines: [], login: false };
  socket.on('welcome', (name) => {
    page.me = name;
  });
  socket.on('said', ({ name, text }) => page.lines.push(`${name}: ${text}`));
  socket.on('connect_error', (error) => {
    if (error.message === 'not logged in') page.login = true; // the page goes to the form
  });
  page.say = (text) => socket.emit('say', text);
  return page;
}
