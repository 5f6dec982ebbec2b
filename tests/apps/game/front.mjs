// A game for two: each event says its room, and whoever stays is told that the other has gone.
export default function game({ io }) {
  const socket = io();
  const page = { room: null, board: Array(9).fill(''), state: 'alone', mark: null };
  const over = (state) => {
    page.state = state;
  };

  socket.on('game:started', ({ room }) => {
    page.room = room;
    over('playing');
  });
  socket.on('move', ({ cell, mark }) => {
    page.board[cell] = mark;
  });
  socket.on('opponent left', () => over('opponent left'));

  page.create = () =>
    new Promise((resolve) => {
      socket.emit('game:create', (room) => {
        page.room = room;
        page.mark = 'X';
        resolve(room);
      });
    });
  page.join = (room) =>
    new Promise((resolve) => {
      socket.emit('game:join', { room }, ({ ok, reason }) => {
        page.mark = 'O';
        resolve(ok || reason);
      });
    });
  page.move = (cell) => {
    page.board[cell] = page.mark;
    socket.emit('move', { room: page.room, cell, mark: page.mark });
  };
  page.leave = () => socket.emit('game:leave', { room: page.room });
  return page;
}
