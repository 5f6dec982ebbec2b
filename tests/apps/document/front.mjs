// A text that several write: what one sends as text-change, the others get as text-changed.
export default function editor({ io }) {
  const socket = io();
  const page = { content: null, cursors: new Map(), saved: 0 };

  socket.on('text-changed', ({ at, insert }) => {
    page.content = page.content.slice(0, at) + insert + page.content.slice(at);
  });
  socket.on('cursor-moved', ({ name, at }) => page.cursors.set(name, at));

  page.open = (doc, name) => {
    page.doc = doc;
    page.name = name;
    socket.emit('open', doc, (content) => {
      page.content = content;
    });
  };
  page.type = (at, insert) => {
    page.content = page.content.slice(0, at) + insert + page.content.slice(at);
    socket.emit('text-change', { doc: page.doc, at, insert });
  };
  page.point = (at) => socket.volatile.emit('cursor-move', { doc: page.doc, name: page.name, at });
  page.save = () =>
    socket.emit('save', page.doc, page.content, () => {
      page.saved++;
    });
  return page;
}
