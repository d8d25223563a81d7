import { type AccountState, OP } from '../redis/format.js';
import type { Executor } from '../usage/executor.js';
import { accountOrThrow } from '../usage/meter.js';
import { positionOf } from '../usage/operation.js';

/**
 * The account as Redis has it at `nowMs` of its clock, once Postgres has caught up with it: what was acknowledged before this call is
 * seen by it.
 */
export async function caughtUp(
  executor: Executor,
  accountId: string,
  deadlineMs: number,
): Promise<{ readonly account: AccountState; readonly nowMs: number }> {
  const executed = await executor.run({ accountId, packed: [OP.touch, 0], ending: true }, { deadlineMs });
  const account = accountOrThrow(executed, accountId);
  const { decision } = executed;
  await executor.settleDurability([positionOf(decision, account.seq)], { deadlineMs, durable: true });
  return { account, nowMs: decision.nowMs };
}
