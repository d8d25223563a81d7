import { Client, credentials, Metadata } from '@grpc/grpc-js';

export interface Connection {
  readonly client: Client;
  readonly address: string;
  /** What every call carries. */
  readonly metadata: Metadata;
}

export interface ConnectionOptions {
  readonly addresses: readonly string[];
  readonly connections: number;
  readonly token: string | undefined;
}

/** The connections of a meter: spread over the addresses, each a TCP connection of its own, opened when it is used. */
export class Connections {
  readonly all: readonly Connection[];
  #next = 0;

  constructor(options: ConnectionOptions) {
    const { addresses, token } = options;
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    const count = Math.max(options.connections, addresses.length);
    this.all = Array.from({ length: count }, (_, i) => {
      const address = addresses[i % addresses.length] as string;
      return { address, metadata, client: new Client(address, credentials.createInsecure(), channelOptions) };
    });
  }

  /** In turn. */
  next(): Connection {
    this.#next = (this.#next + 1) % this.all.length;
    return this.all[this.#next] as Connection;
  }

  close(): void {
    for (const { client } of this.all) client.close();
  }
}

const channelOptions = {
  // Channels to one address would share one TCP connection.
  'grpc.use_local_subchannel_pool': 1,
  // What is repeated, and when, is decided here and nowhere else.
  'grpc.enable_retries': 0,
  // A sidecar that is started again is found at once; Backoff is the slower of the two.
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // A connection that a firewall forgot is noticed by its silence: half a minute, where TCP alone needs a quarter of an hour.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
};
