// Signalling for WebRTC: who is in the room finds each other by socket ids.
export default function video({ io }) {
  const socket = io();
  const peers = new Map(); // in place of connections: what came from whom

  const peer = (id) => peers.get(id) ?? peers.set(id, { offers: [], candidates: [] }).get(id);

  // A new one is in the room: the others call it.
  socket.on('ready', (id) => {
    peer(id);
    socket.emit('offer', id, { type: 'offer', sdp: `v=0 of ${socket.id}` });
  });
  socket.on('offer', (description, from) => {
    peer(from).offers.push(description);
    socket.emit('answer', from, { type: 'answer', sdp: `v=0 of ${socket.id}` });
  });
  socket.on('answer', (description, from) => {
    peer(from).answer = description;
    socket.emit('candidate', from, new Uint8Array([1, 2, 250]));
  });
  socket.on('candidate', (bytes, from) => peer(from).candidates.push([...new Uint8Array(bytes)]));

  return {
    peers,
    id: () => socket.id,
    enter: (room) => socket.emit('join', room, () => socket.emit('ready', room)),
  };
}
