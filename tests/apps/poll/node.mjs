export default (io) => {
  const results = { cats: 0, dogs: 0 };
  io.on('connection', (socket) => {
    socket.emit('results', results);
    socket.on('vote', (choice, done) => {
      if (!(choice in results)) return done('no such choice');
      results[choice]++;
      io.emit('results', results);
      done();
    });
  });
};
