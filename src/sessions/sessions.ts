import type { Logger } from 'pino';
import { type Metrics, UNIT_LABELS } from '../metrics.js';
import type { EventTimeLimits } from '../usage/event-times.js';
import type { Meter } from '../usage/meter.js';
import type { SessionOperations } from '../usage/session-operations.js';
import type { Settled, Unit } from '../usage/types.js';
import { Checkpointer, type CheckpointLimits } from './checkpointer.js';
import { InFlight } from './in-flight.js';
import { type CatalogVersions, Opening, type OpeningEnvironment, type UnitTallies } from './opening.js';
import { limitRefusal, refusalOf } from './refusals.js';
import { Session, type SessionListener } from './session.js';
import type {
  Judged,
  SessionOpen,
  SessionOutcome,
  SessionRefusal,
  SessionRelease,
  SessionSettle,
  SessionVerdict,
  Told,
} from './types.js';

export interface SessionLimits extends CheckpointLimits, EventTimeLimits {
  readonly sessionsMax: number;
  readonly streamSessionsMax: number;
}

/**
 * The sessions of all streams of this sidecar: opens, ends and abandons them; the checkpointer keeps those that are open.
 * Nothing is thrown, and what came of a call is told once, and later than it was made.
 */
export class Sessions {
  readonly #checkpointer: Checkpointer;
  readonly #inFlight = new InFlight();

  readonly #environment: OpeningEnvironment;
  readonly #overruns: UnitTallies;

  constructor(
    operations: Pick<SessionOperations, 'open' | 'checkpoint'>,
    private readonly meter: Pick<Meter, 'startSettle' | 'release'>,
    catalogs: CatalogVersions,
    private readonly limits: SessionLimits,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
    const slices = unitTallies(metrics, metrics.sessionSliceUnits);
    this.#overruns = unitTallies(metrics, metrics.sessionOverrunUnits);
    this.#environment = { operations, catalogs, limits, metrics, slices, logger };
    this.#checkpointer = new Checkpointer(operations, limits, this.#inFlight, metrics, logger);
    this.#checkpointer.start();
    metrics.onScrape(() => {
      const oldestMs = this.#checkpointer.oldestMovedMs();
      metrics.openSessions.set(this.#checkpointer.count);
      metrics.sessionCheckpointLagSeconds.set(oldestMs === null ? 0 : (Date.now() - oldestMs) / 1_000);
    });
  }

  /** A session of a stream that has so many, or why there is no room for it. */
  admit(opened: SessionOpen, listener: SessionListener, ofStream: number): Session | SessionRefusal {
    const { sessionsMax, streamSessionsMax, partitionCount } = this.limits;
    if (this.#checkpointer.count >= sessionsMax) {
      return limitRefusal(opened.number, `sessionsMax: ${sessionsMax}`);
    }
    if (ofStream >= streamSessionsMax) {
      return limitRefusal(opened.number, `streamSessionsMax: ${streamSessionsMax}`);
    }
    const session = new Session(opened, listener, partitionCount);
    this.#checkpointer.add(session);
    return session;
  }

  /** Opens an admitted session, or takes it over. Where the verdict is DENIED, or there is none, it is gone. */
  open(session: Session, told: Told<SessionVerdict>): void {
    this.#inFlight.begin();
    const opening = new Opening(session, this.#environment, (judged) => {
      if (session.state === 'opening') this.drop(session);
      else if (session.isAbandoned) this.leave(session);
      this.#inFlight.end();
      told(judged);
    });
    opening.send();
  }

  /**
   * Ends an open session with what was really used. After that it is gone, also where somebody else has it; where it could not be judged, it goes
   * on as it was.
   */
  settle(session: Session, call: SessionSettle, told: Told<SessionOutcome>): void {
    const failed = this.#beginEnd(session, told);
    const { sessionId: holdId, accountId, agentId, meter, model } = session.opened;
    const { quantities, eventTimeMs } = call;
    const { generation } = session;
    const final = { kind: 'quantities' as const, quantities };
    const done = (settled: Settled): void => {
      this.#countSettled(session, settled);
      const answer = { number: call.number, kind: 'settled' as const, settled };
      this.#ended(session, { answer, position: settled.position }, told);
    };
    try {
      this.meter.startSettle(
        { holdId, accountId, agentId, meter, model, final, eventTimeMs, generation },
        { deadlineMs: this.#deadlineMs() },
        { done, failed },
      );
    } catch (error) {
      failed(error);
    }
  }

  /** Ends an open session without a charge; as `settle`. */
  release(session: Session, { number, eventTimeMs }: SessionRelease, told: Told<SessionOutcome>): void {
    const failed = this.#beginEnd(session, told);
    const { sessionId: holdId, accountId } = session.opened;
    const { generation } = session;
    const options = { durable: false, deadlineMs: this.#deadlineMs() };
    void this.meter.release({ holdId, accountId, eventTimeMs, generation }, options).then((released) => {
      const answer = { number, kind: 'released' as const, released };
      this.#ended(session, { answer, position: released.position }, told);
    }, failed);
  }

  /** Returns what to do where it cannot be judged; that happens later, because a stream takes the rest of its message first. */
  #beginEnd(session: Session, told: Told<SessionOutcome>): (error: unknown) => void {
    const before = session.state;
    session.state = 'ending';
    this.#inFlight.begin();
    return (error) => queueMicrotask(() => this.#notEnded(session, before, error, told));
  }

  #ended(session: Session, judged: Judged<SessionOutcome>, told: Told<SessionOutcome>): void {
    this.drop(session);
    this.#inFlight.end();
    told(judged);
  }

  #notEnded(session: Session, before: Session['state'], error: unknown, told: Told<SessionOutcome>): void {
    const refusal = refusalOf(session.number, error, this.logger);
    if (refusal.reason === 'SESSION_MOVED') this.drop(session);
    else {
      session.state = before;
      if (session.isAbandoned) this.leave(session);
    }
    this.#inFlight.end();
    told({ refusal });
  }

  #countSettled(session: Session, settled: Settled): void {
    if (settled.duplicate) return;
    const overrun = settled.unit === session.unit ? settled.charged - session.covers : 0;
    if (overrun > 0) this.#overruns[settled.unit].add(overrun);
    if (settled.late) this.metrics.sessionLateSettles.inc();
  }

  /** Its stream is gone: it gets the grace period, once nothing of it is on its way. */
  leave(session: Session): void {
    this.#checkpointer.leave(session);
  }

  /** Nothing here owns it any more. */
  drop(session: Session): void {
    this.#checkpointer.forget(session);
  }

  growSoon(session: Session): void {
    this.#checkpointer.growSoon(session);
  }

  /** Sessions of a partition may have lost what was acknowledged to them. */
  sayAgain(partition: number): void {
    this.#checkpointer.sayAgain(partition);
  }

  /** Resolves once nothing is on its way. */
  idle(): Promise<void> {
    return this.#inFlight.idle();
  }

  stop(): void {
    this.#checkpointer.stop();
  }

  #deadlineMs(): number {
    return Date.now() + this.limits.callDeadlineDefaultMs;
  }
}

function unitTallies(metrics: Metrics, counter: Metrics['sessionSliceUnits']): UnitTallies {
  const tally = (unit: Unit) => metrics.tally(counter, { unit: UNIT_LABELS[unit] });
  return { 1: tally(1), 2: tally(2), 3: tally(3) };
}
