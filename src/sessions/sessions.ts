import type { Logger } from 'pino';
import type { CompiledCatalog } from '../catalog/pricing.js';
import { DrawdownError } from '../errors.js';
import { type Metrics, UNIT_LABELS } from '../metrics.js';
import { checkEventTime, type EventTimeLimits } from '../usage/event-times.js';
import { sessionFingerprint } from '../usage/fingerprint.js';
import type { OpenedSession, SessionOperations } from '../usage/session-operations.js';
import type { Position, UsageMeter } from '../usage/types.js';
import { Checkpointer, type CheckpointLimits } from './checkpointer.js';
import { InFlight } from './in-flight.js';
import { endedError, limitRefusal, priceless, refusalOf } from './refusals.js';
import { Session, type SessionListener } from './session.js';
import { offersOf, quantitiesAt, SessionPrice } from './session-price.js';
import type {
  SessionOpen,
  SessionOutcome,
  SessionRefusal,
  SessionRelease,
  SessionSettle,
  SessionVerdict,
} from './types.js';

export interface SessionLimits extends CheckpointLimits, EventTimeLimits {
  readonly sessionsMax: number;
  readonly streamSessionsMax: number;
}

/** The catalog in force, and older versions that sessions began with. */
export interface CatalogVersions {
  current(): { readonly compiled: CompiledCatalog };
  version(number: number): Promise<{ readonly compiled: CompiledCatalog } | null>;
}

/** What an open, a settle or a release came to, and where that stands in the journal; null: nothing was changed. */
export type Judged<T> =
  | { readonly answer: T; readonly position: Position | null }
  | { readonly refusal: SessionRefusal };

/**
 * The sessions of all streams of this sidecar: opens, ends and abandons them; the checkpointer keeps those that are open.
 * No call rejects.
 */
export class Sessions {
  readonly #checkpointer: Checkpointer;
  readonly #inFlight = new InFlight();

  constructor(
    private readonly operations: Pick<SessionOperations, 'open' | 'checkpoint'>,
    private readonly meter: Pick<UsageMeter, 'settle' | 'release'>,
    private readonly catalogs: CatalogVersions,
    private readonly limits: SessionLimits,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
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
  async open(session: Session): Promise<Judged<SessionVerdict>> {
    this.#inFlight.begin();
    const judged = await this.#guarded(session, () => this.#judge(session));
    if (session.state === 'opening') this.drop(session);
    else if (session.isAbandoned) this.leave(session);
    this.#inFlight.end();
    return judged;
  }

  async #judge(session: Session): Promise<Judged<SessionVerdict>> {
    const { opened } = session;
    const { compiled } = this.catalogs.current();
    checkEventTime(opened.startTimeMs, 'open.start_time_ms', this.limits);
    const offers = offersOf(compiled, opened);
    if ('kind' in offers) throw priceless(offers);
    const { sessionId, accountId, agentId, meter, model, startTimeMs, known, counted, generation } = opened;
    const work = [agentId, meter, model, startTimeMs, opened.expectedMax, opened.whole ? 1 : 0, ...counted];
    const result = await this.operations.open(
      {
        ...{ accountId, sessionId, agentId, meter, model, startTimeMs, offers, generation },
        hash: sessionFingerprint(work, known),
        holdTimeMs: this.limits.sessionHoldMs,
        catalogVersion: compiled.version,
        details: { meter, model, agentId, quantities: quantitiesAt(opened, []) },
      },
      { deadlineMs: this.#deadlineMs() },
    );
    if (result.kind === 'open') return this.#begin(session, result, compiled);
    if (result.kind === 'denied') return { answer: denied(opened.number, result), position: null };
    if (result.kind === 'ended') throw endedError(result.outcome.state);
    throw new DrawdownError('ID_CONFLICT', 'open.session_id: is already used with another payload');
  }

  async #begin(
    session: Session,
    result: OpenedSession & { kind: 'open' },
    current: CompiledCatalog,
  ): Promise<Judged<SessionVerdict>> {
    const { opened } = session;
    const { unit, held, covers, available, catalogVersion, generation, details, position } = result;
    const catalog = catalogVersion === current.version ? current : await this.#catalog(catalogVersion);
    const quantities = new Map(details?.quantities);
    const counts = details === null ? [] : opened.counted.map((name) => quantities.get(name) ?? 0);
    session.begin(new SessionPrice(catalog, opened, unit), covers, generation, counts, Date.now());
    if (details === null) this.metrics.sessionSliceUnits.inc({ unit: UNIT_LABELS[session.unit] }, covers);
    else this.metrics.sessionsResumed.inc();
    const { number, allowedThrough } = session;
    const stand = { number, denied: null, allowedThrough, unit, held, available, missing: 0 };
    return { answer: { ...stand, catalogVersion, counts, generation }, position };
  }

  async #catalog(version: number): Promise<CompiledCatalog> {
    const published = await this.catalogs.version(version);
    if (published === null) throw new DrawdownError('INTERNAL', `a session names catalog version ${version}`);
    return published.compiled;
  }

  /** Ends an open session with what was really used. */
  settle(session: Session, call: SessionSettle): Promise<Judged<SessionOutcome>> {
    return this.#end(session, async () => {
      const { sessionId: holdId, accountId, agentId, meter, model } = session.opened;
      const { generation } = session;
      const final = { kind: 'quantities' as const, quantities: call.quantities };
      const settled = await this.meter.settle(
        { holdId, accountId, agentId, meter, model, final, eventTimeMs: call.eventTimeMs, generation },
        { durable: false, deadlineMs: this.#deadlineMs() },
      );
      if (!settled.duplicate) {
        const overrun = settled.unit === session.unit ? settled.charged - session.covers : 0;
        if (overrun > 0) this.metrics.sessionOverrunUnits.inc({ unit: UNIT_LABELS[settled.unit] }, overrun);
        if (settled.late) this.metrics.sessionLateSettles.inc();
      }
      return { answer: { number: call.number, kind: 'settled', settled }, position: settled.position };
    });
  }

  /** Ends an open session without a charge. */
  release(session: Session, { number, eventTimeMs }: SessionRelease): Promise<Judged<SessionOutcome>> {
    return this.#end(session, async () => {
      const { sessionId: holdId, accountId } = session.opened;
      const released = await this.meter.release(
        { holdId, accountId, eventTimeMs, generation: session.generation },
        { durable: false, deadlineMs: this.#deadlineMs() },
      );
      return { answer: { number, kind: 'released', released }, position: released.position };
    });
  }

  /** After that it is gone, also where somebody else has it; where it could not be judged, it goes on as it was. */
  async #end(session: Session, call: () => Promise<Judged<SessionOutcome>>): Promise<Judged<SessionOutcome>> {
    const before = session.state;
    session.state = 'ending';
    this.#inFlight.begin();
    const judged = await this.#guarded(session, call);
    if ('answer' in judged || judged.refusal.reason === 'SESSION_MOVED') this.drop(session);
    else {
      session.state = before;
      if (session.isAbandoned) this.leave(session);
    }
    this.#inFlight.end();
    return judged;
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

  async #guarded<T>(session: Session, call: () => Promise<Judged<T>>): Promise<Judged<T>> {
    try {
      return await call();
    } catch (error) {
      return { refusal: refusalOf(session.number, error, this.logger) };
    }
  }

  #deadlineMs(): number {
    return Date.now() + this.limits.callDeadlineDefaultMs;
  }
}

function denied(
  number: number,
  { reason, unit, available, missing }: OpenedSession & { kind: 'denied' },
): SessionVerdict {
  const nothing = { allowedThrough: 0, held: 0, catalogVersion: 0, counts: [], generation: 0 };
  return { ...nothing, number, denied: reason, unit, available, missing };
}
