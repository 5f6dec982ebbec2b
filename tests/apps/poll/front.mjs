// A poll: the results are on the page at once, and follow each vote.
export default function poll({ io }) {
  const socket = io();
  const page = { results: null, thanks: false };
  socket.on('results', (results) => {
    page.results = results;
  });
  page.vote = (choice) =>
    socket.emit('vote', choice, (error) => {
      if (error) page.error = error;
      else page.thanks = true;
    });
  return page;
}
