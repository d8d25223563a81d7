import type { Logger } from 'pino';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { UNIT_LABELS } from '../metrics.js';
import { STATE } from '../redis/format.js';
import type { Checkpoint, Checkpointed, SessionOperations } from '../usage/session-operations.js';
import type { Reason } from '../usage/types.js';
import type { InFlight } from './in-flight.js';
import type { Session } from './session.js';

export interface CheckpointLimits {
  readonly partitionCount: number;
  readonly checkpointIntervalMs: number;
  readonly sessionHoldMs: number;
  readonly sessionGraceMs: number;
  readonly callDeadlineDefaultMs: number;
}

/** Refusals to grow that no tick will change: the session is told at once. */
const FINAL_REFUSALS: ReadonlySet<Reason> = new Set([
  'AGENT_SUSPENDED',
  'ACCOUNT_FROZEN',
  'ACCOUNT_CLOSED',
  'ACCOUNT_UNKNOWN',
]);

/** Timers do not come closer than this; several partitions share a step where they would. */
const stepMsMin = 5;

/**
 * Writes down how far sessions are, and lets them grow. The partitions take turns over one interval: all sessions of one that moved,
 * are to grow, or whose deadline is half over go out in one turn of the event loop, which the partition's queue makes one script.
 * A session that uses its slice up faster goes out at once, with what else does so in that turn. At most one checkpoint of a session is on its way.
 */
export class Checkpointer {
  readonly #partitions: readonly Set<Session>[];
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #soon: Session[] = [];
  #count = 0;

  constructor(
    private readonly operations: Pick<SessionOperations, 'checkpoint'>,
    private readonly limits: CheckpointLimits,
    private readonly inFlight: InFlight,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
    this.#partitions = Array.from({ length: limits.partitionCount }, () => new Set<Session>());
  }

  start(): void {
    const { checkpointIntervalMs, partitionCount } = this.limits;
    const stepMs = Math.max(stepMsMin, checkpointIntervalMs / partitionCount);
    const perStep = Math.ceil((partitionCount * stepMs) / checkpointIntervalMs);
    this.#timer = setInterval(() => {
      for (let i = 0; i < perStep; i++) {
        this.#next = (this.#next + 1) % partitionCount;
        this.#tick(this.#next);
      }
    }, stepMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Sessions of this sidecar, those included that wait for their verdict. */
  get count(): number {
    return this.#count;
  }

  add(session: Session): void {
    this.#partitions[session.partition]?.add(session);
    this.#count++;
  }

  /** Nothing here owns it any more. */
  forget(session: Session): void {
    session.state = 'gone';
    if (this.#partitions[session.partition]?.delete(session)) this.#count--;
  }

  /** Lets it grow with the end of this turn of the event loop. */
  growSoon(session: Session): void {
    if (session.isGrowingSoon) return;
    session.isGrowingSoon = true;
    if (this.#soon.push(session) === 1) setImmediate(() => this.#growAll());
  }

  /** An epoch of the partition is closed: what was acknowledged and was not durable is lost with it. */
  sayAgain(partition: number): void {
    const nowMs = Date.now();
    for (const session of this.#partitions[partition] as Set<Session>) session.sayAgain(nowMs);
  }

  /** The last checkpoint of a session whose stream is gone: its deadline becomes the end of the grace period. */
  leave(session: Session): void {
    session.isAbandoned = true;
    // Whatever is on its way comes back here.
    if (session.isOpen && !session.isCheckpointing) void this.#leave(session);
  }

  /** Since when the oldest progress waits that is not acknowledged; null where there is none. */
  oldestMovedMs(): number | null {
    let oldestMs: number | null = null;
    for (const sessions of this.#partitions) {
      for (const { hasMoved, movedSinceMs } of sessions) {
        if (hasMoved && (oldestMs === null || movedSinceMs < oldestMs)) oldestMs = movedSinceMs;
      }
    }
    return oldestMs;
  }

  #tick(partition: number): void {
    const nowMs = Date.now();
    const renewEveryMs = this.limits.sessionHoldMs / 2;
    for (const session of this.#partitions[partition] as Set<Session>) {
      if (session.isDue(nowMs, renewEveryMs)) void this.#checkpoint(session, nowMs);
    }
  }

  #growAll(): void {
    const sessions = this.#soon;
    this.#soon = [];
    const nowMs = Date.now();
    for (const session of sessions) {
      session.isGrowingSoon = false;
      if (session.isOpen && !session.isCheckpointing) void this.#checkpoint(session, nowMs);
    }
  }

  /** Never rejects. */
  async #checkpoint(session: Session, nowMs: number): Promise<void> {
    const checkpoint = this.#write(session, nowMs, this.limits.sessionHoldMs);
    if (checkpoint === null) return;
    this.inFlight.begin();
    try {
      const result = await this.#send(session, checkpoint);
      if (session.isOpen && result !== null) this.#take(session, checkpoint, result);
      if (session.isOpen && session.isAbandoned) await this.#leave(session);
    } catch (error) {
      this.logger.error({ err: error }, 'A checkpoint failed inside');
    } finally {
      this.inFlight.end();
    }
  }

  /** Never rejects. Where it fails, the deadline that the session has does the same a little later. */
  async #leave(session: Session): Promise<void> {
    const checkpoint = this.#write(session, Date.now(), this.limits.sessionGraceMs);
    this.forget(session);
    this.metrics.sessionsLeft.inc();
    if (checkpoint === null) return;
    this.inFlight.begin();
    await this.#send(session, checkpoint);
    this.inFlight.end();
  }

  #write(session: Session, nowMs: number, holdTimeMs: number): Checkpoint | null {
    const stand = session.stand(nowMs, this.limits.checkpointIntervalMs);
    if (typeof stand === 'string') {
      session.dropCounts();
      session.listener.countsRefused(session, stand);
      return session.isAbandoned ? this.#write(session, nowMs, holdTimeMs) : null;
    }
    const { accountId, sessionId } = session.opened;
    return { accountId, sessionId, generation: session.generation, holdTimeMs, ...stand };
  }

  /** Null where there was no answer: the next tick tries again. */
  async #send(session: Session, checkpoint: Checkpoint): Promise<Checkpointed | null> {
    session.isCheckpointing = true;
    try {
      const deadlineMs = Date.now() + this.limits.callDeadlineDefaultMs;
      return await this.operations.checkpoint(checkpoint, { deadlineMs });
    } catch (error) {
      const code = error instanceof DrawdownError ? error.code : 'INTERNAL';
      this.metrics.sessionCheckpointFailures.inc({ code });
      if (code === 'INTERNAL') this.logger.error({ err: error }, 'A checkpoint failed inside');
      return null;
    } finally {
      session.isCheckpointing = false;
    }
  }

  #take(session: Session, checkpoint: Checkpoint, result: Checkpointed): void {
    // Lost with Redis before it was durable: its open is to come again, because the message that opened it is asked for again.
    if (result.kind === 'unknown') return;
    if (result.kind !== 'ok') {
      this.forget(session);
      this.#stop(session, lostReason(result), true);
      return;
    }
    this.#countGrowth(session, checkpoint, result);
    session.confirm(result.covers, Date.now());
    if (result.refused === null || session.state !== 'open') return;
    const isFinal = FINAL_REFUSALS.has(result.refused);
    const isLast =
      session.refuseGrowth(result.othersHold) === 'at its end' && result.refused === 'INSUFFICIENT_BALANCE';
    if (!isFinal && !isLast) return;
    session.state = 'stopped';
    this.#stop(session, result.refused, false);
  }

  #stop(session: Session, reason: Reason, isLost: boolean): void {
    this.metrics.sessionStops.inc({ reason });
    if (reason === 'SESSION_EXPIRED') this.metrics.sessionsExpired.inc();
    session.listener.stopped(session, reason, isLost);
  }

  #countGrowth(session: Session, { growWanted }: Checkpoint, result: Checkpointed & { kind: 'ok' }): void {
    if (growWanted === 0) return;
    const grown = result.covers - session.covers;
    const outcome = result.refused !== null ? 'refused' : grown < growWanted ? 'shortened' : 'granted';
    this.metrics.sessionExtensions.inc({ outcome });
    if (grown > 0) this.metrics.sessionSliceUnits.inc({ unit: UNIT_LABELS[session.unit] }, grown);
  }
}

function lostReason(result: Extract<Checkpointed, { kind: 'moved' | 'ended' }>): Reason {
  if (result.kind === 'moved') return 'SESSION_MOVED';
  return result.outcome.state === STATE.expired ? 'SESSION_EXPIRED' : 'HOLD_ENDED';
}
