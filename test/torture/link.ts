/** One link between two processes: a proxy on TCP that does to its connections what networks do. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export type Target = { readonly path: string } | { readonly host: string; readonly port: number };

/** What becomes of the connections whose request is recognised. */
export type Cut =
  /** The request is lost with its connection. */
  | 'before'
  /** The request arrives, and its reply is lost with the connection. */
  | 'after';

interface Trap {
  readonly isMeant: (piece: Buffer) => boolean;
  readonly cut: Cut;
  readonly sprung: () => void;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Its next reply is lost, and it with it. */
  losesReply: boolean;
}

/** One direction of a pair: what is on its way, in order. */
interface Way {
  readonly from: Socket;
  readonly to: Socket;
  readonly queue: { readonly atMs: number; readonly deliver: () => void }[];
}

/**
 * States of a link: *passing*, *delaying* (every piece by so much), *silent* (what was sent is kept, nothing arrives, new connections are taken and hear
 * nothing). A silent link that passes again resets its connections: what a firewall forgot does not come back.
 */
export class Link {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #delayMs = 0;
  #isSilent = false;
  #trap: Trap | null = null;

  private constructor(
    readonly name: string,
    private readonly target: () => Target,
  ) {
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  static async listen(name: string, target: () => Target): Promise<Link> {
    const link = new Link(name, target);
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error(`the link ${this.name} has no port`);
    return address.port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  delay(byMs: number): void {
    this.#delayMs = byMs;
  }

  silence(): void {
    this.#isSilent = true;
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  /** It passes again, at once and everything. */
  heal(): void {
    this.#delayMs = 0;
    this.#trap = null;
    if (!this.#isSilent) return;
    this.#isSilent = false;
    this.reset();
  }

  /** Both ends are told that the connection is no more. */
  reset(): void {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      // A socket of Unix knows no reset.
      if ('path' in this.target()) far.destroy();
      else far.resetAndDestroy();
    }
  }

  /** One end hears that the other one has nothing more to say; the other direction lives on. */
  halfClose(end: 'near' | 'far'): void {
    for (const pair of this.#pairs) pair[end].end();
  }

  /** Of the next request that is meant, the request or its reply is lost; resolves when that has happened. */
  trap(isMeant: (piece: Buffer) => boolean, cut: Cut): Promise<void> {
    return new Promise((sprung) => {
      this.#trap = { isMeant, cut, sprung };
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const { near, far } of this.#pairs) {
        near.destroy();
        far.destroy();
      }
    });
  }

  #accept(near: Socket): void {
    const far = connect({ ...this.target(), allowHalfOpen: true });
    const pair: Pair = { near, far, losesReply: false };
    this.#pairs.add(pair);
    const there: Way = { from: near, to: far, queue: [] };
    const back: Way = { from: far, to: near, queue: [] };
    for (const way of [there, back]) {
      const { from, to } = way;
      from.setNoDelay(true);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
      from.on('end', () => this.#pass(way, () => to.end()));
      to.on('drain', () => {
        if (!this.#isSilent) from.resume();
      });
    }
    near.on('data', (piece) => this.#request(pair, there, piece));
    far.on('data', (piece) => {
      if (pair.losesReply) near.destroy();
      else this.#write(back, piece);
    });
    if (!this.#isSilent) return;
    near.pause();
    far.pause();
  }

  #request(pair: Pair, way: Way, piece: Buffer): void {
    const trap = this.#trap;
    if (trap?.isMeant(piece) === true) {
      this.#trap = null;
      if (trap.cut === 'before') {
        pair.near.destroy();
        pair.far.destroy();
        trap.sprung();
        return;
      }
      pair.losesReply = true;
      pair.far.once('data', trap.sprung);
    }
    this.#write(way, piece);
  }

  #write(way: Way, piece: Buffer): void {
    this.#pass(way, () => {
      if (way.to.writable && !way.to.write(piece)) way.from.pause();
    });
  }

  /** In order, whatever the delay was when the pieces before it came. */
  #pass(way: Way, deliver: () => void): void {
    if (this.#delayMs === 0 && way.queue.length === 0) {
      deliver();
      return;
    }
    way.queue.push({ atMs: performance.now() + this.#delayMs, deliver });
    if (way.queue.length === 1) this.#deliverLater(way);
  }

  #deliverLater(way: Way): void {
    const { atMs } = way.queue[0] as Way['queue'][number];
    setTimeout(
      () => {
        way.queue.shift()?.deliver();
        if (way.queue.length > 0) this.#deliverLater(way);
      },
      Math.max(0, atMs - performance.now()),
    );
  }
}
