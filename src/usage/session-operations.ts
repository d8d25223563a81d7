import type { BlockTerms } from '../catalog/pricing.js';
import type { DrawdownError } from '../errors.js';
import { CODE, OP, type PackedOperation, type StoredOutcome } from '../redis/format.js';
import type { OpenedHold } from '../redis/hold-format.js';
import type { LedgerDetails } from '../redis/opaque.js';
import { type Executor, reasonOf, resultError, unitOf } from './executor.js';
import { type Decision, type FinalResult, type Operation, positionOf, type Taker } from './operation.js';
import { packedTerms } from './pricing.js';
import type { CallOptions, Position, Quantities, Reason, Unit } from './types.js';

/**
 * What one wallet would pay for a session: of what is known the `charge`, and how much to set aside, at least and at best (`least` is at
 * least `charge`). With `conversion` the wallet is that of credits, and the three are characters: as many whole blocks are set aside as they take.
 */
export interface SessionOffer {
  readonly unit: Unit;
  readonly charge: number;
  readonly least: number;
  readonly wanted: number;
  readonly conversion?: BlockTerms | undefined;
}

export interface OpenSession {
  readonly accountId: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly startTimeMs: number;
  /** Of all the call's fields: tells a resumption from a conflict. */
  readonly hash: number;
  readonly holdTimeMs: number;
  readonly catalogVersion: number;
  /** The newest that the caller can be the owner of. Without it: it is taken from whoever has it. */
  readonly generation?: number;
  /** What is known, as it counts as acknowledged. */
  readonly details: LedgerDetails;
  /** In the meter's order of wallets, without those that have no price; none: the model is unrated. */
  readonly offers: readonly SessionOffer[];
}

export type OpenedSession =
  | {
      readonly kind: 'open';
      readonly unit: Unit;
      readonly held: number;
      /** What of it is there for the charge, in what the charge is counted in: characters where credits are held for them, else what is held. */
      readonly covers: number;
      readonly available: number;
      readonly deadlineMs: number;
      readonly catalogVersion: number;
      readonly generation: number;
      readonly charge: number;
      /** As last acknowledged, of a session that was taken over; null: opened now. */
      readonly details: LedgerDetails | null;
      readonly position: Position;
    }
  | {
      readonly kind: 'denied';
      readonly reason: Reason;
      readonly unit: Unit | 0;
      readonly available: number;
      readonly missing: number;
    }
  | { readonly kind: 'ended'; readonly outcome: StoredOutcome }
  | { readonly kind: 'conflict' };

export interface Checkpoint {
  readonly accountId: string;
  readonly sessionId: string;
  readonly generation: number;
  /** Characters where credits are held for them, else in the unit of the hold. */
  readonly charge: number;
  readonly details: LedgerDetails;
  /** 0: the deadline stays; else it is now + this, also where that is sooner. */
  readonly holdTimeMs: number;
  /** What to grow by, at least and at best, in what the charge is counted in; 0, 0: not at all. */
  readonly growLeast: number;
  readonly growWanted: number;
}

export type Checkpointed =
  | {
      readonly kind: 'ok';
      readonly held: number;
      readonly covers: number;
      readonly available: number;
      readonly deadlineMs: number;
      /** Why it did not grow, or may not, whether or not it was to; null: it may. */
      readonly refused: Reason | null;
      /** Others have set something aside in its wallet, which may come back. */
      readonly othersHold: boolean;
      readonly position: Position;
    }
  /** Somebody else has the session. */
  | { readonly kind: 'moved' }
  | { readonly kind: 'ended'; readonly outcome: StoredOutcome }
  /** Nobody knows it: it was lost with Redis before it was durable, and is to be opened again. */
  | { readonly kind: 'unknown' };

/**
 * Opens sessions and notes how far they have come; they end through the meter's settle and release, as the holds that they are. Fails where a
 * call could not be judged.
 */
export class SessionOperations {
  constructor(private readonly executor: Executor) {}

  /** Tells `taker` what became of it. */
  open(
    call: OpenSession,
    { deadlineMs }: Pick<CallOptions, 'deadlineMs'>,
    taker: Taker<OpenedSession>,
  ): void {
    const packed: PackedOperation = [
      OP.openSession,
      0,
      call.sessionId,
      call.hash,
      call.startTimeMs,
      -1,
      call.holdTimeMs,
      call.catalogVersion,
      call.agentId,
      call.meter,
      call.model,
      packDetails(call.details.quantities),
      call.generation ?? 0,
    ];
    for (const { unit, charge, least, wanted, conversion } of call.offers) {
      if (conversion === undefined) {
        packed.push(unit, charge, least, wanted, 0);
        continue;
      }
      const [first, terms] = packedTerms(conversion);
      packed.push(first, charge, least, wanted, terms);
    }
    this.executor.queueOf(call.accountId).push(new OpenOperation(call, packed, deadlineMs, taker));
  }

  async checkpoint(call: Checkpoint, options: Pick<CallOptions, 'deadlineMs'>): Promise<Checkpointed> {
    const packed: PackedOperation = [
      OP.checkpoint,
      0,
      call.sessionId,
      0,
      0,
      -1,
      call.generation,
      call.charge,
      packDetails(call.details.quantities),
      call.holdTimeMs,
      call.growLeast,
      call.growWanted,
    ];
    // One that does not grow keeps what was used: it may do what ending work may.
    const ending = call.growWanted === 0;
    const { result, decision } = await this.executor.run(
      { accountId: call.accountId, packed, ending },
      options,
    );
    switch (result.code) {
      case 'checkpointed': {
        const { seq, reason, ...stands } = result.session;
        const position = positionOf(decision, seq);
        return { kind: 'ok', ...stands, refused: reason === 0 ? null : reasonOf({ reason }), position };
      }
      case CODE.stale:
        return { kind: 'moved' };
      case CODE.ended:
        return { kind: 'ended', outcome: result.outcome };
      case CODE.denied:
        return { kind: 'unknown' };
      default:
        throw resultError(result, call.accountId);
    }
  }
}

/** One open on its way through a partition's queue. A class without promises, because tens of thousands are made a second. */
class OpenOperation implements Operation {
  readonly accountId: string;
  readonly details = null;
  readonly catalogVersion = 0;
  readonly bulk = false;
  readonly ending = false;

  constructor(
    private readonly call: OpenSession,
    readonly packed: PackedOperation,
    readonly deadlineMs: number,
    private readonly taker: Taker<OpenedSession>,
  ) {
    this.accountId = call.accountId;
  }

  done(result: FinalResult, decision: Decision): void {
    let opened: OpenedSession;
    try {
      opened = openedOf(this.call, result, decision);
    } catch (error) {
      this.taker.failed(error);
      return;
    }
    this.taker.done(opened);
  }

  failed(error: DrawdownError): void {
    this.taker.failed(error);
  }
}

function openedOf(call: OpenSession, result: FinalResult, decision: Decision): OpenedSession {
  switch (result.code) {
    case 'opened':
      return openSessionOf(call, result.session, decision);
    case 'unknown account':
      return { kind: 'denied', reason: 'ACCOUNT_UNKNOWN', unit: 0, available: 0, missing: 0 };
    case CODE.denied: {
      const { denial } = result;
      const reason = reasonOf(denial);
      if (reason === 'AMOUNT_OUT_OF_RANGE' || reason === 'LIMIT_REACHED')
        throw resultError(result, call.accountId);
      const { available, missing } = denial;
      return { kind: 'denied', reason, unit: unitOf(denial.unit), available, missing };
    }
    case CODE.ended:
      return { kind: 'ended', outcome: result.outcome };
    case CODE.conflict:
      return { kind: 'conflict' };
    default:
      throw resultError(result, call.accountId);
  }
}

function openSessionOf(call: OpenSession, hold: OpenedHold, decision: Decision): OpenedSession {
  const { meter, model, agentId } = call;
  const { details } = hold;
  return {
    kind: 'open',
    unit: hold.unit as Unit,
    held: hold.held,
    covers: hold.covers,
    available: hold.available,
    deadlineMs: hold.deadlineMs,
    catalogVersion: hold.catalogVersion,
    generation: hold.generation,
    charge: hold.charge,
    details: details === '' ? null : { meter, model, agentId, quantities: unpackDetails(details) },
    position: positionOf(decision, hold.seq),
  };
}

/** What the ledger is told of a session that nobody ends, as the script keeps it unread: a JSON object. Names come from the catalog (a-z 0-9 _). */
function packDetails(quantities: Quantities): string {
  let json = '{';
  for (let i = 0; i < quantities.length; i++) {
    const [name, count] = quantities[i] as Quantities[number];
    json += `${i === 0 ? '' : ','}"${name}":${count}`;
  }
  return `${json}}`;
}

function unpackDetails(details: string): Quantities {
  return Object.entries(JSON.parse(details) as Record<string, number>);
}
