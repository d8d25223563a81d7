import { createServer, type Server as NetServer } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Metrics } from '../metrics.js';
import { parseAddress } from '../settings.js';
import { removeStaleSocket } from './socket-file.js';

/**
 * Accepts the connections of a gRPC server, at most so many at once: each costs memory and a file descriptor before anybody has shown a token, and
 * the stores need descriptors, too. What comes beyond is closed at once; clients try again by themselves.
 */
export class Listener {
  readonly #net: NetServer;

  constructor(
    grpc: Server,
    connectionsMax: number,
    metrics: Pick<Metrics, 'connectionsRefused' | 'openConnections'>,
  ) {
    const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#net = createServer({ noDelay: true }, (socket) => {
      metrics.openConnections.inc();
      socket.once('close', () => metrics.openConnections.dec());
      injector.injectConnection(socket);
    });
    this.#net.maxConnections = connectionsMax;
    this.#net.on('drop', () => metrics.connectionsRefused.inc());
  }

  /** Returns the address in the form of the setting, with the port that was given for port 0. */
  async listen(address: string): Promise<string> {
    const parsed = parseAddress(address);
    if (parsed === undefined) throw new Error(`gRPC cannot listen on ${address}`);
    await removeStaleSocket(address);
    await new Promise<void>((resolve, reject) => {
      this.#net.once('error', (error) =>
        reject(new Error(`gRPC cannot listen on ${address}: ${error.message}`)),
      );
      const target =
        parsed.kind === 'unix' ? { path: parsed.path } : { host: parsed.host, port: parsed.port };
      this.#net.listen(target, () => resolve());
    });
    const bound = this.#net.address();
    if (bound === null || typeof bound === 'string') return address;
    return `${address.slice(0, address.lastIndexOf(':'))}:${bound.port}`;
  }

  /** No new connections; those that are there are the gRPC server's. */
  close(): void {
    this.#net.close();
  }
}
