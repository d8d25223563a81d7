import { Backoff } from './backoff.js';
import type { Connection } from './connections.js';
import type { MeterError } from './errors.js';
import type { LiveSession } from './live-session.js';
import { SessionStream, type SessionStreamOwner } from './session-stream.js';

/** Who is told what became of sessions. */
export interface SessionsOwner extends Omit<SessionStreamOwner, 'drained' | 'over'> {
  /** The stream is gone that carried it; it is to be opened again if that makes sense. */
  dropped(session: LiveSession, error: MeterError | null): void;
  disconnected(error: MeterError, address: string): void;
}

/** The place of one stream at a time on one connection. Draining streams may live on beside it. */
interface Slot {
  readonly connection: Connection;
  stream: SessionStream | null;
  /** It waits before it opens the next stream. */
  isResting: boolean;
  readonly backoff: Backoff;
}

/** Spreads sessions over the connections' streams, and opens streams while there are sessions to carry. */
export class SessionStreams {
  readonly #slots: readonly Slot[];
  #nextSlot = 0;
  readonly #streams = new Set<SessionStream>();
  /** Sessions that no stream carries; those that no longer want to be carried are passed over. */
  #waiting: LiveSession[] = [];
  #deferred: LiveSession[] = [];
  readonly #deferredBackoff = new Backoff();
  readonly #timers = new Set<NodeJS.Timeout>();
  #pumpScheduled = false;
  #isClosing = false;
  #onEnded: (() => void) | undefined;

  constructor(
    connections: readonly Connection[],
    private readonly owner: SessionsOwner,
  ) {
    this.#slots = connections.map((connection) => ({
      connection,
      stream: null,
      isResting: false,
      backoff: new Backoff(),
    }));
  }

  /** Has the session opened, or opened again. */
  carry(session: LiveSession): void {
    this.#waiting.push(session);
    this.#schedulePump();
  }

  /** The same after a while: a sidecar could not judge it for now. */
  carryLater(session: LiveSession, retryAfterMs: number): void {
    this.#deferred.push(session);
    if (this.#deferred.length > 1) return;
    this.#after(this.#deferredBackoff.next(retryAfterMs), () => {
      this.#waiting.push(...this.#deferred.splice(0));
      this.#pump();
    });
  }

  /** Opens no more; what waits is sent, and streams end when they wait for no answer. */
  close(): void {
    this.#isClosing = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const stream of this.#streams) stream.finish();
  }

  get areEnded(): boolean {
    return this.#streams.size === 0;
  }

  /** Resolves when no stream is left. */
  ended(): Promise<void> {
    if (this.areEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEnded = resolve;
    });
  }

  /** Gives up what is on its way. */
  stop(): void {
    for (const stream of [...this.#streams]) stream.stop();
  }

  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    let carried = 0;
    for (const session of this.#isClosing ? [] : this.#waiting) {
      if (wantsStream(session)) {
        const stream = this.#nextStream();
        if (stream === null) break;
        stream.open(session);
      }
      carried += 1;
    }
    this.#waiting = this.#waiting.slice(carried);
  }

  /** In turn; a stream is opened where there is none. */
  #nextStream(): SessionStream | null {
    for (let i = 0; i < this.#slots.length; i++) {
      const slot = this.#slots[(this.#nextSlot + i) % this.#slots.length] as Slot;
      if (slot.isResting) continue;
      if (slot.stream === null || !slot.stream.isOpen) slot.stream = this.#open(slot);
      this.#nextSlot = (this.#nextSlot + i + 1) % this.#slots.length;
      return slot.stream;
    }
    return null;
  }

  #open(slot: Slot): SessionStream {
    const { owner } = this;
    const stream = new SessionStream(slot.connection, {
      opened: (session, opened) => {
        slot.backoff.reset();
        this.#deferredBackoff.reset();
        owner.opened(session, opened);
      },
      refused: (...given) => owner.refused(...given),
      stopped: (...given) => owner.stopped(...given),
      ended: (...given) => owner.ended(...given),
      durable: (ending) => owner.durable(ending),
      lost: (ending) => owner.lost(ending),
      drained: () => this.#onDrained(slot, stream),
      over: (sessions, error) => this.#onOver(slot, stream, sessions, error),
    });
    this.#streams.add(stream);
    return stream;
  }

  /** What is open goes on with another sidecar; where there is none it stays until the stream ends. */
  #onDrained(slot: Slot, stream: SessionStream): void {
    this.#rest(slot, null);
    const { address } = slot.connection;
    if (!this.#slots.some((one) => one.connection.address !== address && !one.isResting)) return;
    for (const session of stream.sessions) {
      if (session.state !== 'open') continue;
      session.state = 'away';
      stream.leave(session);
      this.carry(session);
    }
  }

  #onOver(
    slot: Slot,
    stream: SessionStream,
    sessions: readonly LiveSession[],
    error: MeterError | null,
  ): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#onEnded?.();
    const isCurrent = slot.stream === stream;
    if (isCurrent) slot.stream = null;
    if (error !== null) this.owner.disconnected(error, slot.connection.address);
    if (isCurrent && (error !== null || sessions.length > 0)) this.#rest(slot, error);
    for (const session of sessions) this.owner.dropped(session, error);
  }

  #rest(slot: Slot, error: MeterError | null): void {
    if (this.#isClosing || slot.isResting) return;
    slot.stream = null;
    slot.isResting = true;
    this.#after(slot.backoff.next(error?.retryAfterMs), () => {
      slot.isResting = false;
      this.#pump();
    });
  }

  #after(waitMs: number, then: () => void): void {
    if (this.#isClosing) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, waitMs);
    this.#timers.add(timer);
  }
}

function wantsStream({ state, stream, isAbandoned }: LiveSession): boolean {
  return !isAbandoned && stream === null && (state === 'opening' || state === 'away');
}
