// Private messages between users whose log and inboxes are in partitions of their own.

/*
 * Makes a function that returns two users each time, the first in order first, of whom no inbox is
 * in the partition of the other one or of their log.
 */
export function apart(cluster) {
  let pairs = 0;
  return () => {
    for (;;) {
      const [a, b] = [`a${++pairs}`, `b${pairs}`];
      const names = [`user:${a}`, `user:${b}`, `dm:${a}:${b}`];
      if (new Set(names.map((name) => cluster.partition(name))).size === 3) return [a, b];
    }
  };
}

// Until the returned function is called, Redis refuses everything in the partition of this name.
export async function forbid(cluster, name) {
  const allow = (...rules) =>
    Promise.all(
      cluster.servers
        .filter((server) => server.up)
        .map((server) => cluster.on(server, 'ACL', 'SETUSER', 'default', ...rules)),
    );
  const forbidden = cluster.tagOf(cluster.partition(name));
  const others = cluster.tags.filter((tag) => tag !== forbidden);
  await allow('resetkeys', ...others.map((tag) => `~sluice:{${tag}}*`), '~sluice:partitions');
  return () => allow('~*');
}

// Until the returned function is called, nothing can be written to the user's inbox: its state is of
// another type.
export async function spoil(cluster, user) {
  const meta = cluster.key(`user:${user}`, 'meta');
  await cluster.cli('RENAME', meta, `${meta}-kept`);
  await cluster.cli('SET', meta, 'spoilt');
  return () => cluster.cli('RENAME', `${meta}-kept`, meta);
}
