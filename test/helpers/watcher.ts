/** The client's end of a WatchBalance stream: everything that came, and how it ended. */
import { type ClientReadableStream, type ServiceError, status } from '@grpc/grpc-js';
import type { BalanceUpdate__Output } from '../../src/gen/drawdown/v1/BalanceUpdate.js';
import type { ThresholdCrossing__Output } from '../../src/gen/drawdown/v1/ThresholdCrossing.js';
import type { WatchBalanceResponse__Output } from '../../src/gen/drawdown/v1/WatchBalanceResponse.js';
import { readErrorDetails } from '../../src/grpc/errors.js';
import { until } from './until.js';

export class Watcher {
  readonly updates: BalanceUpdate__Output[] = [];
  drained = false;
  /** How it ended; undefined while it is open. */
  ended: string | undefined;
  /** Reason and field of an error. */
  failure = '';

  constructor(readonly call: ClientReadableStream<WatchBalanceResponse__Output>) {
    call.on('data', (answer: WatchBalanceResponse__Output) => {
      if (answer.balance) this.updates.push(answer.balance);
      if (answer.drain) this.drained = true;
    });
    call.on('error', (error: ServiceError) => {
      const { reason, field } = readErrorDetails(error.metadata);
      this.ended = status[error.code] as string;
      this.failure = `${this.ended} ${reason} ${field}`;
    });
    call.on('end', () => {
      this.ended ??= 'OK';
    });
  }

  /** The last update of an account. */
  last(accountId: string): BalanceUpdate__Output | undefined {
    return this.updates.findLast((update) => update.accountId === accountId);
  }

  /** Waits until an account is told of through a line. */
  async through(accountId: string, accountSeq: number): Promise<BalanceUpdate__Output> {
    return until(`${accountId} is told of through line ${accountSeq}`, () => {
      if (this.ended !== undefined) throw new Error(`the stream ended: ${this.failure}`);
      const last = this.last(accountId);
      return last !== undefined && Number(last.cursor) >= accountSeq ? last : null;
    });
  }

  /** In the order in which they came: line, direction, threshold. */
  crossings(accountId: string): string[] {
    return this.updates
      .filter((update) => update.accountId === accountId)
      .flatMap((update) => update.crossings.map(crossingText));
  }

  /** Breaks the stream and waits until it is over. */
  async cut(): Promise<void> {
    this.call.cancel();
    await until('the stream is over', () => this.ended !== undefined);
  }
}

function crossingText({ accountSeq, direction, threshold }: ThresholdCrossing__Output): string {
  return `${accountSeq} ${direction.replace('CROSSING_DIRECTION_', '').toLowerCase()} ${threshold}`;
}
