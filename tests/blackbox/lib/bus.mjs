// The bus of a Redis Cluster, by which its servers speak to each other, through TCP proxies of
// ours. So one server can be cut off from the others while clients still reach it.

import net from 'node:net';

const SENDER = { from: 40, to: 80 }; // of a message: the id of the server that sends it

/*
 * A proxy for each server of ids: others reach that server through it. Resolves to { ports (of the
 * proxies, in that order), to (busPorts), cut(id), mend(id), close() }. to() says where the proxies
 * lead, once the servers' own bus ports are known; what connects before is closed.
 */
export async function startBus(ids) {
  const gone = new Set(); // the servers that are cut off
  const links = new Set();
  let targets = null;

  const isCut = ({ ends }) => ends.some((id) => gone.has(id));
  const end = ({ near, far }) => {
    near.destroy();
    far.destroy();
  };
  const begin = (near, owner) => {
    near.on('error', () => {});
    if (!targets || gone.has(owner)) {
      near.destroy();
      return;
    }
    const far = net.connect(targets[ids.indexOf(owner)], '127.0.0.1');
    const link = { near, far, ends: [owner] };
    let first = Buffer.alloc(0);
    links.add(link);
    far.on('error', () => {});
    for (const socket of [near, far]) {
      socket.unref();
      socket.setNoDelay(true);
      socket.on('close', () => {
        links.delete(link);
        end(link);
      });
    }
    far.pipe(near);
    // Whose connection it is, the first message says; until then nothing of it passes.
    const identify = (data) => {
      first = Buffer.concat([first, data]);
      if (first.length < SENDER.to) return;
      near.off('data', identify);
      link.ends.push(first.toString('latin1', SENDER.from, SENDER.to));
      if (isCut(link)) {
        end(link);
        return;
      }
      far.write(first);
      near.pipe(far);
    };
    near.on('data', identify);
  };

  const servers = await Promise.all(
    ids.map(async (id) => {
      const server = net.createServer((socket) => begin(socket, id));
      await new Promise((resolve, reject) => {
        server.on('error', reject);
        server.listen(0, '127.0.0.1', resolve);
      });
      server.unref();
      return server;
    }),
  );
  return {
    ports: servers.map((server) => server.address().port),
    to(busPorts) {
      targets = busPorts;
    },
    cut(id) {
      gone.add(id);
      [...links].filter(isCut).forEach(end);
    },
    mend: (id) => gone.delete(id),
    close() {
      servers.forEach((server) => server.close());
      [...links].forEach(end);
    },
  };
}
