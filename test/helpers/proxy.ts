/** A proxy on TCP between a sidecar and a store, which loses what a test wants to be lost. */
import { connect, createServer, type Socket } from 'node:net';

/** What becomes of a piece of data on its way. */
export type Fate =
  /** Goes on its way. */
  | 'pass'
  /** Goes on its way, but what the store answers from then on is lost, and the connection is cut once it has answered. */
  | 'cut-before-answer'
  /** As above, but the connection stays open and silent, as behind a firewall that forgot it. */
  | 'silence-answer'
  /** The connection is cut at once. */
  | 'cut';

export interface StoreProxy {
  readonly port: number;
  /** Decides on each piece that a client sends. */
  onRequest: (piece: Buffer) => Fate;
  /** While it is set, new connections are refused and old ones are cut. */
  setDown(down: boolean): void;
  /** How often an answer was lost. */
  readonly lostAnswers: () => number;
  stop(): Promise<void>;
}

/** `place` is the store's socket, or says at each connection which one it is. */
export async function startProxy(place: string | (() => string)): Promise<StoreProxy> {
  const open = new Set<Socket>();
  let isDown = false;
  let lost = 0;
  const proxy: StoreProxy = {
    port: 0,
    onRequest: () => 'pass',
    setDown(down) {
      isDown = down;
      if (down) for (const socket of open) socket.destroy();
    },
    lostAnswers: () => lost,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
  const server = createServer((client) => {
    if (isDown) {
      client.destroy();
      return;
    }
    const store = connect(typeof place === 'string' ? place : place());
    let losing: 'cut-before-answer' | 'silence-answer' | null = null;
    for (const socket of [client, store]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        open.delete(socket);
        if (losing !== 'silence-answer') {
          client.destroy();
          store.destroy();
        }
      });
    }
    client.on('data', (piece) => {
      const fate = losing === null ? proxy.onRequest(piece) : 'pass';
      if (fate === 'cut') {
        client.destroy();
        return;
      }
      if (fate !== 'pass') losing = fate;
      store.write(piece);
    });
    store.on('data', (piece) => {
      if (losing === null) {
        client.write(piece);
        return;
      }
      lost += 1;
      if (losing === 'cut-before-answer') client.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return Object.assign(proxy, { port: address.port });
}

/** The URL of a Postgres on a unix socket as seen through a proxy, and the socket to give to the proxy. */
export function postgresSocket(url: string): { socketPath: string; through: (port: number) => string } {
  const match = /^(\w+:\/\/[^@]+)@\/([^?]*)\?host=(.+)$/.exec(url);
  if (match === null) throw new Error(`not the URL of a socket: ${url}`);
  const [, user, name, directory] = match as unknown as [string, string, string, string];
  return {
    socketPath: `${decodeURIComponent(directory)}/.s.PGSQL.5432`,
    through: (port) => `${user}@127.0.0.1:${port}/${name}`,
  };
}
