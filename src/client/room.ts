import { MeterError } from './errors.js';

/** What becomes of a call for which there is no room. */
export type WhenFull =
  /** It waits until there is (see CallLimits), as long as no more waits than is kept; beyond that it is refused. */
  | 'block'
  /** It is refused at once with KEPT_FULL. */
  | 'refuse';

export interface RoomLimits {
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly whenFull: WhenFull;
}

/** A call that wants to keep something. */
export interface Guest {
  readonly events: number;
  readonly bytes: number;
  /** It may go on: what it asked for is taken. */
  admit(): void;
  refuse(error: MeterError): void;
}

/**
 * The memory of a meter: everything that is not durable is counted here, by number and bytes. Calls that find no room wait in
 * their order. All of a call is taken or nothing; what waits is bounded as what is kept is, so memory is bounded by
 * twice the limits.
 */
export class Room {
  #events = 0;
  #bytes = 0;
  #waitingEvents = 0;
  #waitingBytes = 0;
  readonly #waiting = new Set<Guest>();
  #onEmpty: (() => void) | undefined;

  constructor(private readonly limits: RoomLimits) {}

  get events(): number {
    return this.#events;
  }

  get bytes(): number {
    return this.#bytes;
  }

  enter(guest: Guest): void {
    const { eventsMax, bytesMax, whenFull } = this.limits;
    if (guest.events > eventsMax || guest.bytes > bytesMax) {
      guest.refuse(this.#full('can never hold so much: send smaller batches', false));
    } else if (this.#waiting.size === 0 && this.#fits(guest.events, guest.bytes)) {
      this.#admit(guest);
    } else if (whenFull === 'refuse') {
      guest.refuse(this.#full('is full', true));
    } else if (
      this.#waitingEvents + guest.events > eventsMax ||
      this.#waitingBytes + guest.bytes > bytesMax
    ) {
      guest.refuse(this.#full('is full, and as much again waits for room', true));
    } else {
      this.#waiting.add(guest);
      this.#waitingEvents += guest.events;
      this.#waitingBytes += guest.bytes;
    }
  }

  /** Takes room at once, or throws KEPT_FULL. */
  take(events: number, bytes: number): void {
    if (this.#waiting.size > 0 || !this.#fits(events, bytes)) throw this.#full('is full', true);
    this.#events += events;
    this.#bytes += bytes;
  }

  /** A guest that no longer wants to wait. */
  leave(guest: Guest): void {
    if (!this.#waiting.delete(guest)) return;
    this.#waitingEvents -= guest.events;
    this.#waitingBytes -= guest.bytes;
    this.#admitWaiting();
  }

  release(events: number, bytes: number): void {
    this.#events -= events;
    this.#bytes -= bytes;
    this.#admitWaiting();
    if (this.#events === 0) this.#onEmpty?.();
  }

  /** Sends away whoever waits. */
  refuseWaiting(error: MeterError): void {
    for (const guest of [...this.#waiting]) {
      this.#waiting.delete(guest);
      guest.refuse(error);
    }
    this.#waitingEvents = 0;
    this.#waitingBytes = 0;
  }

  /** Resolves when nothing is kept. */
  empty(): Promise<void> {
    if (this.#events === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #fits(events: number, bytes: number): boolean {
    const { eventsMax, bytesMax } = this.limits;
    return this.#events + events <= eventsMax && this.#bytes + bytes <= bytesMax;
  }

  #admit(guest: Guest): void {
    this.#events += guest.events;
    this.#bytes += guest.bytes;
    guest.admit();
  }

  #admitWaiting(): void {
    for (const guest of this.#waiting) {
      if (!this.#fits(guest.events, guest.bytes)) return;
      this.#waiting.delete(guest);
      this.#waitingEvents -= guest.events;
      this.#waitingBytes -= guest.bytes;
      this.#admit(guest);
    }
  }

  #full(what: string, retryable: boolean): MeterError {
    const { eventsMax, bytesMax } = this.limits;
    const message = `What is kept until it is durable (keptEventsMax ${eventsMax}, keptBytesMax ${bytesMax}) ${what}`;
    return new MeterError('RESOURCE_EXHAUSTED', message, { reason: 'KEPT_FULL', retryable });
  }
}
