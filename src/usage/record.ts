import type { DrawdownError } from '../errors.js';
import { CODE, FLAG, OP, type PackedOperation } from '../redis/format.js';
import { limitError, reasonOf, resultError } from './executor.js';
import { type Decision, type FinalResult, type Operation, positionOf } from './operation.js';
import type { EventResult, Position, Reason, RecordOutcome, Unit, UsageEvent } from './types.js';

/** Gathers the results of one batch of events in their order; resolves when the last one is there. */
export class RecordCollector {
  readonly results: EventResult[];
  readonly #positions = new Map<number, Position>();
  /** Of partitions whose epoch changed while the batch was decided. */
  readonly #otherEpochs: Position[] = [];
  #left: number;
  #resolve: (outcome: RecordOutcome) => void = () => undefined;
  readonly outcome: Promise<RecordOutcome>;

  constructor(count: number) {
    this.results = new Array<EventResult>(count);
    this.#left = count;
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    if (count === 0) this.#finish();
  }

  settle(index: number, result: EventResult, position: Position | null): void {
    this.results[index] = result;
    if (position !== null) {
      const known = this.#positions.get(position.partition);
      // One epoch does not stand for another: what was lost with it must be seen.
      if (known !== undefined && known.epoch !== position.epoch) this.#otherEpochs.push(position);
      else if (known === undefined || known.seq < position.seq)
        this.#positions.set(position.partition, position);
    }
    this.#left -= 1;
    if (this.#left === 0) this.#finish();
  }

  #finish(): void {
    this.#resolve({ results: this.results, positions: [...this.#positions.values(), ...this.#otherEpochs] });
  }
}

export function refused(reason: Reason, message: string): EventResult {
  return { outcome: 'refused', reason, message };
}

/** One event on its way through a partition's queue. A class, because tens of thousands of them are made a second. */
export class UsageOperation implements Operation {
  readonly accountId: string;
  readonly bulk = true;
  readonly ending = false;

  constructor(
    readonly details: UsageEvent,
    readonly packed: PackedOperation,
    readonly catalogVersion: number,
    readonly deadlineMs: number,
    private readonly collector: RecordCollector,
    private readonly index: number,
  ) {
    this.accountId = details.accountId;
  }

  done(result: FinalResult, decision: Decision): void {
    if (result.code === CODE.ok || result.code === CODE.duplicate) {
      const { outcome } = result;
      this.collector.settle(
        this.index,
        {
          outcome: result.code === CODE.ok ? 'recorded' : 'duplicate',
          unit: outcome.unit as Unit,
          charged: outcome.amount,
          overdrawn: outcome.overdrawn,
          available: outcome.available,
          unrated: (outcome.flags & FLAG.unrated) !== 0,
          converted: outcome.converted,
        },
        positionOf(decision, outcome.seq),
      );
      return;
    }
    this.collector.settle(this.index, this.#refusal(result), null);
  }

  failed(error: DrawdownError): void {
    const reason = error.code === 'LIMIT_REACHED' ? 'LIMIT_REACHED' : 'UNAVAILABLE';
    this.collector.settle(this.index, refused(reason, error.message), null);
  }

  #refusal(result: FinalResult): EventResult {
    switch (result.code) {
      case 'unknown account':
        return refused('ACCOUNT_UNKNOWN', `account ${this.accountId} does not exist`);
      case CODE.conflict:
        return refused('ID_CONFLICT', 'event_id is already used with another payload');
      case CODE.limit:
        return refused('LIMIT_REACHED', limitError(result.limit).message);
      case CODE.denied:
        return refused(reasonOf(result.denial), 'the debt would exceed 2^53-1');
      default:
        return refused('UNAVAILABLE', resultError(result, this.accountId).message);
    }
  }
}

/** {kind, account, id, hash, time, checked} without the amounts, which are appended. */
export function usageOperation(event: UsageEvent, hash: number): PackedOperation {
  return [OP.usage, 0, event.eventId, hash, event.eventTimeMs, -1, event.agentId];
}
