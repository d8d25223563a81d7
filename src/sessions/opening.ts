import type { Logger } from 'pino';
import type { CompiledCatalog, Refusal } from '../catalog/pricing.js';
import { DrawdownError } from '../errors.js';
import type { Metrics, Tally } from '../metrics.js';
import { checkEventTime, type EventTimeLimits } from '../usage/event-times.js';
import { sessionFingerprint } from '../usage/fingerprint.js';
import type { Taker } from '../usage/operation.js';
import type { OpenedSession, SessionOffer, SessionOperations } from '../usage/session-operations.js';
import type { Quantities, Unit } from '../usage/types.js';
import { endedError, priceless, refusalOf } from './refusals.js';
import type { Session } from './session.js';
import { chargedIn, offersOf, quantitiesAt, SessionPrice } from './session-price.js';
import type { Judged, SessionOpen, SessionVerdict, Told } from './types.js';

/** The catalog in force, and older versions that sessions began with. */
export interface CatalogVersions {
  current(): { readonly compiled: CompiledCatalog };
  version(number: number): Promise<{ readonly compiled: CompiledCatalog } | null>;
}

export type UnitTallies = Readonly<Record<Unit, Tally>>;

export interface OpeningEnvironment {
  readonly operations: Pick<SessionOperations, 'open'>;
  readonly catalogs: CatalogVersions;
  readonly limits: EventTimeLimits & {
    readonly sessionHoldMs: number;
    readonly callDeadlineDefaultMs: number;
  };
  readonly metrics: Pick<Metrics, 'sessionsResumed'>;
  /** Counts what is set aside at opens, by what it is counted in. */
  readonly slices: UnitTallies;
  readonly logger: Logger;
}

/**
 * One open on its way: priced by the catalog in force and sent; the session begins where the verdict is ALLOWED. A class without promises on its
 * usual way, because tens of thousands are made a second.
 */
export class Opening implements Taker<OpenedSession> {
  private catalog: CompiledCatalog;
  private offers: readonly SessionOffer[] | Refusal = [];

  /** `told` is called once, and not before `send` has returned: a stream takes the rest of its message first. */
  constructor(
    private readonly session: Session,
    private readonly environment: OpeningEnvironment,
    private readonly told: Told<SessionVerdict>,
  ) {
    this.catalog = environment.catalogs.current().compiled;
  }

  send(): void {
    const { operations, limits } = this.environment;
    const { opened } = this.session;
    try {
      checkEventTime(opened.startTimeMs, 'open.start_time_ms', limits);
      const offers = offersOf(this.catalog, opened);
      if ('kind' in offers) throw priceless(offers);
      this.offers = offers;
      const { sessionId, accountId, agentId, meter, model, startTimeMs, generation } = opened;
      const call = {
        accountId,
        sessionId,
        agentId,
        meter,
        model,
        startTimeMs,
        hash: sessionFingerprint(opened),
        holdTimeMs: limits.sessionHoldMs,
        catalogVersion: this.catalog.version,
        generation,
        details: { meter, model, agentId, quantities: quantitiesAt(opened, []) },
        offers,
      };
      operations.open(call, { deadlineMs: Date.now() + limits.callDeadlineDefaultMs }, this);
    } catch (error) {
      this.failed(error);
    }
  }

  done(result: OpenedSession): void {
    if (result.kind === 'open' && result.catalogVersion !== this.catalog.version) void this.#takeOver(result);
    else this.#judge(result);
  }

  failed(error: unknown): void {
    const { number } = this.session;
    queueMicrotask(() => this.told({ refusal: refusalOf(number, error, this.environment.logger) }));
  }

  /** It was opened before, and is priced by the version that it began with. */
  async #takeOver(result: OpenedSession & { kind: 'open' }): Promise<void> {
    const { catalogVersion } = result;
    try {
      const published = await this.environment.catalogs.version(catalogVersion);
      if (published === null)
        throw new DrawdownError('INTERNAL', `a session names catalog version ${catalogVersion}`);
      this.catalog = published.compiled;
      this.offers = offersOf(published.compiled, this.session.opened);
    } catch (error) {
      this.failed(error);
      return;
    }
    this.#judge(result);
  }

  #judge(result: OpenedSession): void {
    let judged: Judged<SessionVerdict>;
    try {
      judged = this.#judged(result);
    } catch (error) {
      this.failed(error);
      return;
    }
    this.told(judged);
  }

  #judged(result: OpenedSession): Judged<SessionVerdict> {
    switch (result.kind) {
      case 'open':
        return { answer: this.#begin(result), position: result.position };
      case 'denied':
        return { answer: denied(this.session.opened, result), position: null };
      case 'ended':
        throw endedError(result.outcome.state);
      case 'conflict':
        throw new DrawdownError('ID_CONFLICT', 'open.session_id: is already used with another payload');
    }
  }

  #begin(result: OpenedSession & { kind: 'open' }): SessionVerdict {
    const { session } = this;
    const { opened } = session;
    const { unit, covers, generation, details } = result;
    const counts = details === null ? [] : countsOf(opened, details.quantities);
    const price = new SessionPrice(this.catalog, opened, chargedIn(this.offers, unit));
    session.begin(price, covers, generation, counts, Date.now());
    const { metrics, slices } = this.environment;
    if (details === null) slices[session.unit].add(covers);
    else metrics.sessionsResumed.inc();
    return {
      number: session.number,
      denied: null,
      allowedThrough: session.allowedThrough,
      unit,
      held: result.held,
      available: result.available,
      missing: 0,
      catalogVersion: result.catalogVersion,
      counts,
      generation,
    };
  }
}

function denied(
  { number }: SessionOpen,
  { reason, unit, available, missing }: OpenedSession & { kind: 'denied' },
): SessionVerdict {
  const nothing = { allowedThrough: 0, held: 0, catalogVersion: 0, counts: [], generation: 0 };
  return { ...nothing, number, denied: reason, unit, available, missing };
}

/** The counts among what is acknowledged of a session. */
function countsOf({ counted }: SessionOpen, quantities: Quantities): number[] {
  const acknowledged = new Map(quantities);
  return counted.map((name) => acknowledged.get(name) ?? 0);
}
