import { DrawdownError } from '../errors.js';
import { type ChargeLine, readCharge } from '../postgres/charges.js';
import type { Pool } from '../postgres/pool.js';
import { CODE, OP, type PackedOperation, REASON, STATUS, type StatusName } from '../redis/format.js';
import type { Catalogs } from '../usage/catalogs.js';
import type { Executed } from '../usage/executor.js';
import { expireLotFingerprint, reversalFingerprint, statusFingerprint } from '../usage/fingerprint.js';
import { type CallOptions, UNITS, type Unit, type UnitName } from '../usage/types.js';
import type { AccountCalls } from './account-calls.js';
import type {
  Corrections,
  ExpireLotCall,
  LotExpired,
  RerateUsageCall,
  ReverseUsageCall,
  SetStatusCall,
  StatusChange,
  StatusSet,
  UsageRerated,
  UsageReversed,
} from './correction-types.js';
import { fromPostgres } from './from-postgres.js';
import { rerateUsage } from './rerating.js';
import { LOT_SOURCES, type LotSource } from './types.js';

/** A rerating or a late settle between the look into Postgres and the script is rare; one after the other this often is not to be believed. */
const REVERSE_ATTEMPTS_MAX = 5;

/** The status that a change leads to, and the one that it starts from (0: any other one). */
const CHANGES: Record<StatusChange, { readonly to: StatusName; readonly from: number }> = {
  freeze: { to: 'frozen', from: STATUS.active },
  unfreeze: { to: 'active', from: STATUS.frozen },
  close: { to: 'closed', from: 0 },
  reopen: { to: 'active', from: STATUS.closed },
};

/**
 * Puts our own mistakes right, and changes the status of accounts. But for rerating, which charges, it is ending work: a full journal
 * refuses it last.
 */
export class CorrectionControl implements Corrections {
  constructor(
    private readonly calls: AccountCalls,
    private readonly pool: Pool,
    private readonly catalogs: Catalogs,
  ) {}

  async reverseUsage(call: ReverseUsageCall, options: CallOptions): Promise<UsageReversed> {
    this.calls.checkTime(call.eventTimeMs);
    const hash = reversalFingerprint(call);
    const { accountId } = call;
    for (let attempt = 1; attempt <= REVERSE_ATTEMPTS_MAX; attempt++) {
      const lines = await this.#chargeLines(call, options);
      const last = lines.at(-1) as ChargeLine;
      const details = { ...last, agentId: last.agent, quantities: Object.entries(last.quantities) };
      const executed = await this.calls.run(accountId, reversalOperation(call, hash, lines), options, {
        ending: true,
        details,
        catalogVersion: last.catalogVersion,
      });
      // Rerated or settled between the look into Postgres and the script: the next look finds it.
      if (executed.result.code === CODE.stale) continue;
      const outcome = await this.#outcome(executed, accountId, options);
      return {
        unit: outcome.unit as Unit,
        reversed: outcome.amount,
        debtPaid: outcome.overdrawn,
        available: outcome.available,
        duplicate: executed.result.code === CODE.duplicate,
      };
    }
    throw new DrawdownError('UNAVAILABLE', 'the charge was changed again and again while it was looked up', {
      retryAfterMs: 100,
    });
  }

  async expireLot(call: ExpireLotCall, options: CallOptions): Promise<LotExpired> {
    this.calls.checkTime(call.eventTimeMs);
    const { requestId, accountId, lotId, reasonCode, reasonText, eventTimeMs } = call;
    const hash = expireLotFingerprint(call);
    const packed = [OP.expireLot, 0, requestId, hash, eventTimeMs, -1, lotId, reasonCode, reasonText];
    const executed = await this.calls.run(accountId, packed, options, { ending: true });
    const outcome = await this.#outcome(executed, accountId, options);
    return {
      lotId,
      unit: outcome.unit as Unit,
      expired: outcome.amount,
      available: outcome.available,
      duplicate: executed.result.code === CODE.duplicate,
    };
  }

  async setStatus(call: SetStatusCall, options: CallOptions): Promise<StatusSet> {
    this.calls.checkTime(call.eventTimeMs);
    const { requestId, accountId, change, reasonCode, reasonText, eventTimeMs } = call;
    const { to, from } = CHANGES[change];
    const hash = statusFingerprint(call);
    const head = [OP.setStatus, 0, requestId, hash, eventTimeMs, -1];
    const packed = [...head, STATUS[to], from, reasonCode, reasonText];
    const executed = await this.calls.run(accountId, packed, options, { ending: true });
    await this.#outcome(executed, accountId, options);
    return { accountId, status: to, duplicate: executed.result.code === CODE.duplicate };
  }

  rerateUsage(call: RerateUsageCall, options: CallOptions): Promise<UsageRerated> {
    return rerateUsage(this.calls, this.pool, this.catalogs.current(), call, options);
  }

  /** The lines of a charge, once all that was applied to the account before is durable: the ledger says which lots gave what. */
  async #chargeLines(call: ReverseUsageCall, options: CallOptions): Promise<ChargeLine[]> {
    const { accountId, charge } = call;
    await this.calls.caughtUp(accountId, options);
    const lines = await fromPostgres(() => readCharge(this.pool, { accountId, ...charge }));
    if (lines.length > 0) return lines;
    const field = charge.kind === 'usage' ? 'event_id' : 'hold_id';
    throw new DrawdownError('USAGE_UNKNOWN', `${field}: nothing was charged under ${charge.id}`, { field });
  }

  #outcome(executed: Executed, accountId: string, options: CallOptions) {
    const { result } = executed;
    const refusal = result.code === CODE.denied ? REFUSALS[result.denial.reason] : undefined;
    if (refusal !== undefined)
      throw new DrawdownError(refusal.code, refusal.message, { field: refusal.field });
    return this.calls.outcome(executed, accountId, options);
  }
}

const REFUSALS: Readonly<
  Record<
    number,
    {
      readonly code: 'ALREADY_REVERSED' | 'LOT_UNKNOWN' | 'LOT_ENDED' | `ACCOUNT_${Uppercase<StatusName>}`;
      readonly message: string;
      readonly field: string;
    }
  >
> = {
  [REASON.alreadyReversed]: {
    code: 'ALREADY_REVERSED',
    message: 'the charge was given back by another request',
    field: 'charge',
  },
  [REASON.lotUnknown]: { code: 'LOT_UNKNOWN', message: 'no lot of this number was made', field: 'lot_id' },
  [REASON.lotEnded]: {
    code: 'LOT_ENDED',
    message: 'nothing of the lot is left, or it has expired',
    field: 'lot_id',
  },
  [REASON.accountActive]: { code: 'ACCOUNT_ACTIVE', message: 'the account is active', field: 'account_id' },
  [REASON.accountFrozen]: { code: 'ACCOUNT_FROZEN', message: 'the account is frozen', field: 'account_id' },
  [REASON.accountClosed]: { code: 'ACCOUNT_CLOSED', message: 'the account is closed', field: 'account_id' },
};

/** What the caller knew of the charge when it looked: that it was rerated (1), or that a session had been charged by its deadline and not settled (2). */
function seenOf(lines: readonly ChargeLine[]): number {
  if (lines.some(({ kind }) => kind === 'rerate')) return 1;
  return lines.every(({ kind }) => kind === 'session_expired') ? 2 : 0;
}

function reversalOperation(
  call: ReverseUsageCall,
  hash: number,
  lines: readonly ChargeLine[],
): PackedOperation {
  const [charge] = lines as [ChargeLine];
  return [
    OP.reverse,
    0,
    call.requestId,
    hash,
    call.eventTimeMs,
    -1,
    UNITS[charge.unit as UnitName],
    lines.reduce((sum, line) => sum + line.spent, 0),
    `${call.charge.kind}/${call.charge.id}`,
    seenOf(lines),
    call.reasonCode,
    call.reasonText,
    ...lines.flatMap((line) =>
      line.lots.flatMap((lot) => [
        lot.lot,
        lot.amount,
        LOT_SOURCES[lot.source as LotSource],
        lot.priority,
        lot.expiresMs,
        lot.owner,
      ]),
    ),
  ];
}
