import {
  type CheckBalanceMessage,
  fromCheckBalance,
  fromRelease,
  fromReserve,
  fromSettle,
  fromVerdict,
  type ReleaseMessage,
  type ReserveMessage,
  type SettleMessage,
  toCheckBalance,
  toExtend,
  toRelease,
  toReserve,
  toSettle,
  type VerdictMessage,
} from './call-codec.js';
import type { CallLimits } from './call-limits.js';
import { Calls } from './calls.js';
import { Connections } from './connections.js';
import { EndKeeper, type Undelivered } from './end-keeper.js';
import { closed, fieldInvalid, isUnavailable, MeterError } from './errors.js';
import { Recorder, type RecordOptions } from './recorder.js';
import { Room, type WhenFull } from './room.js';
import type { OpenRequest, Session } from './session-types.js';
import { Sessions } from './sessions.js';
import type {
  AckLevel,
  CheckBalanceRequest,
  CheckBalanceResult,
  EventResult,
  ExtendRequest,
  Lost,
  ReleaseRequest,
  ReleaseResult,
  ReserveRequest,
  ReserveResult,
  SettleRequest,
  SettleResult,
  UsageEvent,
  Verdict,
} from './types.js';
import { UnavailablePolicy, type WhenUnavailable } from './unavailable-policy.js';

export interface MeterOptions {
  /** host:port, [ipv6]:port or unix:/path of each sidecar. */
  readonly addresses?: readonly string[];
  /** The bearer token of the sidecars. */
  readonly token?: string;
  /** Connections in all, at least one for each address. */
  readonly connections?: number;
  /** Events of one batch; at most the sidecar's own batchEventsMax. */
  readonly batchEventsMax?: number;
  /** Events and settles kept until they are durable, and their bytes. */
  readonly keptEventsMax?: number;
  readonly keptBytesMax?: number;
  readonly whenFull?: WhenFull;
  /** Of unary calls, their repetitions included, where the call names none. */
  readonly callTimeoutMs?: number;
  readonly whenUnavailable?: WhenUnavailable;
  /** Something that was taken over could not be booked, and no call waits for it any more. */
  readonly onLost?: (lost: Lost) => void;
  /** A stream broke. It is opened again by itself; this is for the log. */
  readonly onDisconnect?: (error: MeterError, address: string) => void;
}

export const meterDefaults = {
  /** Where a sidecar of this machine listens. */
  addresses: ['127.0.0.1:50051'],
  /** Two streams keep one sidecar busy while the answers of one are read. */
  connections: 2,
  /** From some 64 on the cost of a message is spread thin; a fifth of what a sidecar takes by default. */
  batchEventsMax: 1_000,
  /** 2 s at 50,000 events a second, twice as long as a sidecar needs to start again. */
  keptEventsMax: 100_000,
  /** keptEventsMax events of 400 bytes: 100 on the wire, and what they cost in memory when they come by the dozen. */
  keptBytesMax: 40 * 1_024 * 1_024,
  whenFull: 'block',
  /** As long as a sidecar waits for Redis, so that its answer arrives; a gateway that must be quicker says so per call. */
  callTimeoutMs: 5_000,
  whenUnavailable: 'deny',
  onLost: () => undefined,
  onDisconnect: () => undefined,
} as const satisfies MeterOptions;

export interface UnaryOptions extends CallLimits {
  /** Return when applied (the default) or durable. */
  readonly until?: AckLevel;
}

/** What `close` leaves behind: nothing, or what the caller has to keep elsewhere and record again, unchanged. */
export interface CloseReport extends Undelivered {
  readonly isDrained: boolean;
  /** `applied`: a sidecar has booked it, and it would be lost only with Redis. */
  readonly events: readonly { readonly event: UsageEvent; readonly applied: boolean }[];
}

/** A client of one or several sidecars; one for a process. See docs/client.md. */
export class Meter {
  readonly #connections: Connections;
  readonly #room: Room;
  readonly #calls: Calls;
  readonly #recorder: Recorder;
  readonly #keeper: EndKeeper;
  readonly #sessions: Sessions;
  readonly #policy: UnavailablePolicy;
  /** Unary calls without an answer. */
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<CloseReport> | undefined;

  constructor(given: MeterOptions = {}) {
    const options = { ...meterDefaults, ...withoutUndefined(given) };
    checkOptions(options);
    this.#connections = new Connections({ ...options, token: given.token });
    this.#room = new Room({
      eventsMax: options.keptEventsMax,
      bytesMax: options.keptBytesMax,
      whenFull: options.whenFull,
    });
    this.#calls = new Calls(this.#connections, options.callTimeoutMs);
    const onLost = outside(options.onLost);
    this.#recorder = new Recorder(this.#connections.all, this.#room, {
      batchEventsMax: options.batchEventsMax,
      onLost,
      onDisconnect: outside(options.onDisconnect),
    });
    this.#policy = new UnavailablePolicy(options.whenUnavailable);
    this.#keeper = new EndKeeper(this.#calls, this.#room, onLost);
    this.#sessions = new Sessions(this.#connections.all, this.#room, this.#keeper, this.#policy, {
      timeoutDefaultMs: options.callTimeoutMs,
      onLost,
      onDisconnect: outside(options.onDisconnect),
    });
  }

  /** What is kept because it is not durable yet. */
  get kept(): { readonly events: number; readonly bytes: number } {
    return { events: this.#room.events, bytes: this.#room.bytes };
  }

  /**
   * Records finished usage; one result per event, in order. All events are taken over or none. Once they are, they are sent until
   * they are durable, whatever breaks and whether or not this call still waits.
   */
  record(events: readonly UsageEvent[], options: RecordOptions = {}): Promise<readonly EventResult[]> {
    return this.#recorder.record(events, options);
  }

  /** Opens a session: a hold that grows while a request is answered. */
  open(request: OpenRequest): Promise<Session> {
    return this.#sessions.open(request);
  }

  /** Sets units aside for work that is about to begin. */
  reserve(request: ReserveRequest, options: UnaryOptions = {}): Promise<ReserveResult> {
    return this.#unary(async () => {
      const message = toReserve(request, options.until ?? 'applied');
      try {
        const result = fromReserve(await this.#calls.call<ReserveMessage>('Reserve', message, options));
        this.#policy.ended(request);
        return result;
      } catch (error) {
        if (!(error instanceof MeterError) || !isUnavailable(error)) throw error;
        return unjudged(this.#policy.allows(request));
      }
    });
  }

  /** Adds units and/or time to an open hold; all or nothing. */
  extend(request: ExtendRequest, options: UnaryOptions = {}): Promise<Verdict> {
    return this.#unary(async () => {
      const message = toExtend(request, options.until ?? 'applied');
      return fromVerdict(await this.#calls.call<VerdictMessage>('Extend', message, options));
    });
  }

  /** Ends a hold with what was really used. With the sidecar away the settle is kept and repeated until it is durable. */
  settle(request: SettleRequest, options: UnaryOptions = {}): Promise<SettleResult> {
    return this.#unary(async () => {
      const message = toSettle(request, options.until ?? 'applied');
      try {
        const result = fromSettle(await this.#calls.call<SettleMessage>('Settle', message, options));
        this.#policy.ended(request);
        return result;
      } catch (error) {
        if (!(error instanceof MeterError) || !error.retryable) throw error;
        this.#keeper.keep({ ...request }, () => this.#policy.ended(request));
        this.#policy.kept(request);
        return { outcome: 'kept' };
      }
    });
  }

  /** Ends a hold without a charge. */
  release(request: ReleaseRequest, options: UnaryOptions = {}): Promise<ReleaseResult> {
    return this.#unary(async () => {
      const isUnjudged = this.#policy.has(request);
      this.#policy.ended(request);
      const message = toRelease(request, options.until ?? 'applied');
      try {
        return fromRelease(await this.#calls.call<ReleaseMessage>('Release', message, options));
      } catch (error) {
        if (!isUnjudged || !(error instanceof MeterError)) throw error;
        if (!isUnavailable(error) && error.reason !== 'HOLD_UNKNOWN') throw error;
        return { unit: null, released: 0n, available: 0n, duplicate: false };
      }
    });
  }

  /** Says what an account has and whether an amount would be allowed now. Changes nothing, reserves nothing. */
  checkBalance(request: CheckBalanceRequest, limits: CallLimits = {}): Promise<CheckBalanceResult> {
    return this.#unary(async () => {
      const message = toCheckBalance(request);
      return fromCheckBalance(await this.#calls.call<CheckBalanceMessage>('CheckBalance', message, limits));
    });
  }

  /** Takes no more calls, waits at most `timeoutMs` until all are answered and everything is durable, and says what is not. */
  close({ timeoutMs = closeTimeoutDefaultMs }: { timeoutMs?: number } = {}): Promise<CloseReport> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<CloseReport> {
    this.#recorder.close();
    this.#room.refuseWaiting(closed());
    this.#sessions.close();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#drained(), timeout]);
    clearTimeout(timer);
    const events = this.#recorder.stop();
    this.#sessions.stop();
    const { settles, releases } = this.#keeper.stop();
    this.#calls.close();
    this.#connections.close();
    const isDrained = events.length + settles.length + releases.length === 0;
    return { isDrained, events, settles, releases };
  }

  /** A settle that is under way may be kept in the end, so one look is not enough. */
  async #drained(): Promise<void> {
    while (this.#underWay.size > 0 || this.#room.events > 0 || !this.#sessions.areEnded) {
      await Promise.allSettled([...this.#underWay, this.#room.empty(), this.#sessions.ended()]);
    }
  }

  #unary<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    const call = work().finally(() => this.#underWay.delete(call));
    this.#underWay.add(call);
    return call;
  }
}

/** What container platforms give a process to stop, less a third for everything else. */
const closeTimeoutDefaultMs = 20_000;

/** The caller's functions run on their own: what they throw is the caller's, and breaks nothing here. */
function outside<Arguments extends unknown[]>(tell: (...given: Arguments) => void): typeof tell {
  return (...given) => queueMicrotask(() => tell(...given));
}

function withoutUndefined(given: MeterOptions): MeterOptions {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function checkOptions(options: Required<Omit<MeterOptions, 'token'>>): void {
  if (options.addresses.length === 0) throw fieldInvalid('addresses', 'must name at least one sidecar');
  const limits = ['connections', 'batchEventsMax', 'keptEventsMax', 'keptBytesMax', 'callTimeoutMs'] as const;
  for (const name of limits) {
    if (!Number.isSafeInteger(options[name]) || options[name] < 1) {
      throw fieldInvalid(name, 'must be a whole number above 0');
    }
  }
}

function unjudged(allowed: boolean): ReserveResult {
  return {
    allowed,
    reason: allowed ? null : 'UNAVAILABLE',
    unit: null,
    held: 0n,
    available: 0n,
    missing: 0n,
    deadlineMs: 0,
    duplicate: false,
    catalogVersion: 0,
    judged: false,
  };
}
