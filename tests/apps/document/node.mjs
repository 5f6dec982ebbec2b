export default (io) => {
  const documents = new Map();
  io.on('connection', (socket) => {
    socket.on('open', (doc, callback) => {
      socket.join(doc);
      callback(documents.get(doc) ?? '');
    });
    socket.on('text-change', (change) => socket.to(change.doc).emit('text-changed', change));
    socket.on('cursor-move', (cursor) => socket.to(cursor.doc).volatile.emit('cursor-moved', cursor));
    socket.on('save', (doc, content, callback) => {
      documents.set(doc, content);
      callback();
    });
  });
};
