import { Backoff } from './backoff.js';
import { aborted, type CallLimits } from './call-limits.js';
import type { Connection } from './connections.js';
import { closed, type MeterError } from './errors.js';
import { decodeEvent, encodeEvent } from './event-codec.js';
import { RecordCall } from './record-call.js';
import { RecordStream } from './record-stream.js';
import type { Guest, Room } from './room.js';
import type { AckLevel, EventResult, Lost, Reason, UsageEvent } from './types.js';

/** An event from the moment it is taken over until it is durable or refused for good. */
interface KeptEvent {
  readonly bytes: Buffer;
  /** What it counts in memory, its share of the call included. */
  readonly costBytes: number;
  readonly index: number;
  /** Who is told; null once it was told that the event is applied and asked for no more. */
  call: RecordCall | null;
  isApplied: boolean;
}

/** What an event costs in memory beside its bytes, its objects and places in queues; and what a call costs. 184 and 540 were measured. */
const eventOverheadBytes = 256;
const callOverheadBytes = 576;

/** Of one batch: the smallest messageBytesMax that a sidecar can have is 64 KiB. */
const batchBytesMax = 60 * 1_024;

/** Refused, but not for good: to be sent again. */
const AGAIN: ReadonlySet<Reason> = new Set(['UNAVAILABLE', 'LIMIT_REACHED']);

export interface RecordOptions extends CallLimits {
  /** Resolve when all events are applied (the default) or durable. */
  readonly until?: AckLevel;
}

export interface RecorderOptions {
  readonly batchEventsMax: number;
  readonly onLost: (lost: Lost) => void;
  readonly onDisconnect: (error: MeterError, address: string) => void;
}

/** The place of one stream at a time on one connection. Closing streams may live on beside it. */
interface Slot {
  readonly connection: Connection;
  stream: RecordStream<KeptEvent> | null;
  /** It waits before it opens the next stream. */
  isResting: boolean;
  readonly backoff: Backoff;
}

/**
 * Sends events over the connections' streams and keeps each until it is durable.
 *
 * An event is *waiting* (in #queue), *sent* (in a batch of one stream), *deferred* (refused for now; it waits for a timer), and so
 * again *waiting*; it ends durable, or refused for good. A stream that is lost gives its events back to the queue.
 */
export class Recorder {
  #queue: KeptEvent[] = [];
  #deferred: KeptEvent[] = [];
  readonly #deferredBackoff = new Backoff();
  readonly #slots: readonly Slot[];
  #nextSlot = 0;
  readonly #streams = new Set<RecordStream<KeptEvent>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #pumpScheduled = false;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(
    connections: readonly Connection[],
    private readonly room: Room,
    private readonly options: RecorderOptions,
  ) {
    this.#slots = connections.map((connection) => ({
      connection,
      stream: null,
      isResting: false,
      backoff: new Backoff(),
    }));
  }

  record(events: readonly UsageEvent[], options: RecordOptions = {}): Promise<readonly EventResult[]> {
    const { until = 'applied', signal } = options;
    if (this.#state !== 'open') return Promise.reject(closed());
    if (signal?.aborted) return Promise.reject(aborted(signal));
    return new Promise((resolve, reject) => {
      this.#begin(events, new RecordCall(events.length, until, resolve, reject), options);
    });
  }

  /** Takes no more; what is kept is still sent. */
  close(): void {
    this.#state = 'closing';
  }

  /** Gives up what is on its way, and says what is not durable. */
  stop(): readonly { readonly event: UsageEvent; readonly applied: boolean }[] {
    this.#state = 'closed';
    for (const timer of this.#timers) clearTimeout(timer);
    const kept = [...this.#queue, ...this.#deferred];
    for (const stream of this.#streams) {
      const { unfinished } = stream;
      for (const event of unfinished) kept.push(event);
      if (unfinished.length === 0) stream.finish();
      else stream.cancel();
    }
    const left = kept.map(({ bytes, isApplied }) => ({ event: decodeEvent(bytes), applied: isApplied }));
    for (const { call } of kept) call?.fail(closed());
    return left;
  }

  #begin(events: readonly UsageEvent[], call: RecordCall, limits: CallLimits): void {
    const kept = encodeEvents(events, call);
    if (kept.length === 0) return;
    const guest: Guest = {
      events: kept.length,
      bytes: sumOf(kept),
      admit: () => {
        for (const event of kept) this.#queue.push(event);
        this.#schedulePump();
      },
      refuse: (error) => call.fail(error),
    };
    if (limits.signal !== undefined || limits.timeoutMs !== undefined) {
      call.limit(limits, () => this.room.leave(guest));
    }
    this.room.enter(guest);
  }

  /** One look at the end of this turn of the event loop: all calls of a tick share their batches. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#state !== 'closed' && this.#queue.length > 0) {
      const stream = this.#streamWithRoom();
      if (stream === null) return;
      stream.send(this.#queue.splice(0, this.#batchLength()));
    }
  }

  #batchLength(): number {
    const most = Math.min(this.#queue.length, this.options.batchEventsMax);
    let bytes = 0;
    for (let length = 0; length < most; length++) {
      bytes += (this.#queue[length] as KeptEvent).bytes.length;
      if (bytes > batchBytesMax) return Math.max(1, length);
    }
    return most;
  }

  /** In turn; a stream is opened where there is none. */
  #streamWithRoom(): RecordStream<KeptEvent> | null {
    for (let i = 0; i < this.#slots.length; i++) {
      const slot = this.#slots[(this.#nextSlot + i) % this.#slots.length] as Slot;
      if (slot.isResting) continue;
      if (slot.stream === null || !slot.stream.isOpen) slot.stream = this.#open(slot);
      if (!slot.stream.hasRoom) continue;
      this.#nextSlot = (this.#nextSlot + i + 1) % this.#slots.length;
      return slot.stream;
    }
    return null;
  }

  #open(slot: Slot): RecordStream<KeptEvent> {
    const stream: RecordStream<KeptEvent> = new RecordStream(slot.connection, {
      applied: (events, results) => {
        slot.backoff.reset();
        return this.#onApplied(events, results);
      },
      durable: (events) => this.#onDurable(events),
      changed: () => this.#schedulePump(),
      ended: (unfinished, error) => this.#onEnded(slot, stream, unfinished, error),
    });
    this.#streams.add(stream);
    return stream;
  }

  #onApplied(events: readonly KeptEvent[], results: readonly EventResult[]): readonly KeptEvent[] {
    const booked: KeptEvent[] = [];
    for (const [i, event] of events.entries()) {
      const result = results[i] as EventResult;
      if (result.outcome !== 'refused') {
        booked.push(event);
        this.#tellApplied(event, result);
      } else if (AGAIN.has(result.reason)) this.#defer(event);
      else this.#onRefused(event, result);
    }
    if (booked.length > 0) this.#deferredBackoff.reset();
    return booked;
  }

  #tellApplied(event: KeptEvent, result: EventResult): void {
    event.isApplied = true;
    const { call } = event;
    if (call === null) return;
    call.note(event.index, result);
    if (call.until === 'durable') return;
    call.finish();
    event.call = null;
  }

  #onRefused(event: KeptEvent, result: EventResult & { outcome: 'refused' }): void {
    const { call } = event;
    this.#forget([event]);
    call?.note(event.index, result);
    const isHeard = call !== null && !call.isOver;
    call?.finish();
    if (isHeard) return;
    const { reason, message } = result;
    this.options.onLost({ kind: 'event', event: decodeEvent(event.bytes), reason, message });
  }

  #defer(event: KeptEvent): void {
    this.#deferred.push(event);
    if (this.#deferred.length > 1) return;
    this.#after(this.#deferredBackoff.next(), () => {
      this.#enqueueAgain(this.#deferred);
      this.#deferred = [];
    });
  }

  #onDurable(events: readonly KeptEvent[]): void {
    this.#forget(events);
    for (const { call } of events) call?.finish();
  }

  #forget(events: readonly KeptEvent[]): void {
    if (events.length === 0) return;
    this.room.release(events.length, sumOf(events));
  }

  #onEnded(
    slot: Slot,
    stream: RecordStream<KeptEvent>,
    unfinished: readonly KeptEvent[],
    error: MeterError | null,
  ): void {
    this.#streams.delete(stream);
    const isCurrent = slot.stream === stream;
    if (isCurrent) slot.stream = null;
    if (this.#state === 'closed') return;
    if (error !== null) {
      this.options.onDisconnect(error, slot.connection.address);
      // Repeating changes nothing before somebody corrects something: callers are told, the events are kept.
      if (!error.retryable) for (const { call } of unfinished) call?.fail(error);
    }
    if (isCurrent && (error !== null || unfinished.length > 0)) {
      slot.isResting = true;
      this.#after(slot.backoff.next(error?.retryAfterMs), () => {
        slot.isResting = false;
        this.#schedulePump();
      });
    }
    this.#enqueueAgain(unfinished);
  }

  /** They are older than what waits. */
  #enqueueAgain(events: readonly KeptEvent[]): void {
    if (events.length > 0) this.#queue = [...events, ...this.#queue];
    this.#schedulePump();
  }

  #after(waitMs: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, waitMs);
    this.#timers.add(timer);
  }
}

/** Bad events are answered at once, in their places; their neighbours go on. */
function encodeEvents(events: readonly UsageEvent[], call: RecordCall): KeptEvent[] {
  const kept: KeptEvent[] = [];
  const overheadBytes = eventOverheadBytes + Math.ceil(callOverheadBytes / events.length);
  for (const [index, event] of events.entries()) {
    const bytes = encodeEvent(event);
    if (typeof bytes !== 'string') {
      const costBytes = bytes.length + overheadBytes;
      kept.push({ bytes, costBytes, index, call, isApplied: false });
      continue;
    }
    call.note(index, { outcome: 'refused', reason: 'FIELD_INVALID', message: `events[${index}].${bytes}` });
    call.finish();
  }
  return kept;
}

function sumOf(events: readonly KeptEvent[]): number {
  let bytes = 0;
  for (const event of events) bytes += event.costBytes;
  return bytes;
}
