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
  /** Pieces pass in order, so none before this. */
  notBeforeMs: number;
}

/** A piece that is delayed is kept; a sender that fills more than this waits. */
const PIECES_DELAYED_MAX = 1_000;

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
  #delayed = 0;

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
    const pair: Pair = { near, far, losesReply: false, notBeforeMs: 0 };
    this.#pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
      from.on('end', () => this.#pass(pair, () => to.end()));
      from.on('drain', () => {
        if (!this.#isSilent) to.resume();
      });
    }
    near.on('data', (piece) => this.#request(pair, piece));
    far.on('data', (piece) => this.#reply(pair, piece));
    if (this.#isSilent) {
      near.pause();
      far.pause();
    }
  }

  #request(pair: Pair, piece: Buffer): void {
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
    this.#write(pair, pair.far, pair.near, piece);
  }

  #reply(pair: Pair, piece: Buffer): void {
    if (pair.losesReply) pair.near.destroy();
    else this.#write(pair, pair.near, pair.far, piece);
  }

  #write(pair: Pair, to: Socket, from: Socket, piece: Buffer): void {
    this.#pass(pair, () => {
      if (to.writable && !to.write(piece)) from.pause();
    });
  }

  #pass(pair: Pair, deliver: () => void): void {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs + this.#delayMs, pair.notBeforeMs);
    if (atMs <= nowMs || this.#delayed >= PIECES_DELAYED_MAX) {
      deliver();
      return;
    }
    pair.notBeforeMs = atMs;
    this.#delayed++;
    setTimeout(() => {
      this.#delayed--;
      deliver();
    }, atMs - nowMs);
  }
}
