import type { ServerWritableStream } from '@grpc/grpc-js';
import type {
  BalanceUpdate,
  BalanceWatch,
  BalanceWatches,
  Thresholds,
  WatchRequest,
} from '../credits/watch.js';
import { DrawdownError } from '../errors.js';
import type { WatchBalanceRequest__Output } from '../gen/drawdown/v1/WatchBalanceRequest.js';
import type { WatchBalanceResponse } from '../gen/drawdown/v1/WatchBalanceResponse.js';
import type { Metrics } from '../metrics.js';
import { UNITS, type UnitName } from '../usage/types.js';
import { type CallEnvironment, decoded, type OpenStream } from './call.js';
import { resetUnread } from './deaf-client.js';
import { toDrawdownError, toStatus } from './errors.js';
import { enumName, unitName, walletBalance } from './names.js';
import { checkAmount, checkId, checkWhole, fieldInvalid } from './validate.js';

const method = 'AccountService/WatchBalance';

/** Accounts of one stream: a backend that watches more opens several, over one connection. */
const WATCH_STREAM_ACCOUNTS_MAX = 100;
/** Thresholds of a unit: more than any page or mail would tell apart. */
const WATCH_THRESHOLDS_MAX = 16;

export interface WatchStreamEnvironment extends CallEnvironment {
  readonly watches: BalanceWatches;
  readonly metrics: Pick<Metrics, 'streamMessages' | 'streamPauses'>;
}

type WatchCall = ServerWritableStream<WatchBalanceRequest__Output, WatchBalanceResponse>;

/**
 * One WatchBalance stream.
 *
 * States: *open* -> *ended* by cancellation, loss of the transport, error, drain, or a client that reads nothing for streamIdleMs.
 *
 * The next update is only asked for when the one before was written and there is room, so at most 16 unread messages (the high
 * water mark of grpc-js) wait here, however slowly the client reads; what happens meanwhile comes in one update.
 */
export class WatchStream implements OpenStream {
  #ended = false;
  #watch: BalanceWatch | null = null;
  #onRoom: () => void = () => undefined;

  constructor(
    private readonly call: WatchCall,
    private readonly environment: WatchStreamEnvironment,
    private readonly onEnded: (stream: WatchStream) => void,
  ) {
    call.on('drain', () => this.#onRoom());
    call.on('cancelled', () => this.#end());
    call.on('close', () => this.#end());
    void this.#run();
  }

  /** Tells the client to go on elsewhere and ends: its cursors lose nothing. */
  notifyDrain(): void {
    if (this.#ended) return;
    this.#send('drain', { drain: { withinMs: 0 } });
    this.#end();
    this.call.end();
  }

  fail(thrown: unknown): void {
    if (this.#ended) return;
    this.#end();
    const error = toDrawdownError(thrown, this.environment.logger, method);
    // This is how grpc-js takes a status for a stream; it has its own listener for it, so nothing is thrown.
    this.call.emit('error', toStatus(error));
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      const watch = await this.environment.watches.open(watchRequest(decoded(this.call.request)));
      this.#watch = watch;
      if (this.#ended) return watch.close();
      for (let update = await watch.next(); update !== null; update = await watch.next()) {
        if (this.#ended) return;
        if (!this.#send('balance', { balance: spelled(update) })) await this.#room();
      }
      this.notifyDrain();
    } catch (error) {
      this.fail(error);
    }
  }

  #send(kind: 'balance' | 'drain', message: WatchBalanceResponse): boolean {
    const { metrics } = this.environment;
    metrics.streamMessages.inc({ method, direction: 'out', kind });
    const hasRoom = this.call.write(message);
    if (!hasRoom) metrics.streamPauses.inc({ reason: 'slow_reader' });
    return hasRoom;
  }

  /** Resolves when the client has read on or the stream has ended. */
  async #room(): Promise<void> {
    const { streamIdleMs } = this.environment.settings;
    const message = 'The client has read nothing for streamIdleMs';
    const idle = setTimeout(() => {
      this.fail(new DrawdownError('LIMIT_REACHED', message));
      resetUnread(this.call);
    }, streamIdleMs);
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
    });
    clearTimeout(idle);
  }

  /** From here on nothing refers to the stream. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.close();
    this.#onRoom();
    this.onEnded(this);
  }
}

function watchRequest(request: WatchBalanceRequest__Output): WatchRequest {
  const { accounts } = request;
  if (accounts.length === 0 || accounts.length > WATCH_STREAM_ACCOUNTS_MAX) {
    throw fieldInvalid('accounts', `must be 1 to ${WATCH_STREAM_ACCOUNTS_MAX} (watchStreamAccountsMax)`);
  }
  const seen = new Set<string>();
  return {
    accounts: accounts.map(({ accountId, cursor }, i) => {
      const field = `accounts[${i}]`;
      if (seen.has(accountId)) throw fieldInvalid(`${field}.account_id`, 'must not be there twice');
      seen.add(accountId);
      return {
        accountId: checkId(accountId, `${field}.account_id`),
        cursor: checkWhole(cursor, `${field}.cursor`),
      };
    }),
    thresholds: request.thresholds.length === 0 ? null : thresholds(request),
  };
}

const UNIT_NAMES = Object.keys(UNITS) as UnitName[];

function thresholds(request: WatchBalanceRequest__Output): Thresholds {
  const given = request.thresholds.map((amount, i) => checkAmount(amount, `thresholds[${i}]`));
  return new Map(
    UNIT_NAMES.map((name) => {
      const amounts = given.filter(({ unit }) => unit === UNITS[name]).map(({ value }) => BigInt(value));
      if (amounts.length > WATCH_THRESHOLDS_MAX) {
        const rule = `must be at most ${WATCH_THRESHOLDS_MAX} of a unit (watchThresholdsMax)`;
        throw fieldInvalid('thresholds', rule);
      }
      return [name, amounts];
    }),
  );
}

function spelled({ accountId, cursor, balances, crossings }: BalanceUpdate) {
  return {
    accountId,
    cursor,
    balances: balances.map(walletBalance),
    crossings: crossings.map(({ unit, threshold, direction, ...place }) => ({
      ...place,
      unit: unitName(unit),
      threshold: threshold.toString(),
      direction: enumName('CROSSING_DIRECTION', direction),
    })),
  };
}
