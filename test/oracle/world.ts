// Several accounts and their ledger: batches of operations, each batch at one instant.

import { apply, emptyAccount } from './account.js';
import type { AccountState, Entry, Op, Result, Step } from './model.js';

export interface World {
  /** Redis' time as last seen; it never goes back. */
  nowMs: number;
  accounts: Map<string, AccountState>;
  ledger: Entry[];
}

export interface BatchStep {
  /** One for each operation: its result, its entries, and its account after it. */
  steps: Step[];
  results: Result[];
  entries: Entry[];
  world: World;
}

export function emptyWorld(nowMs = 0): World {
  return { nowMs, accounts: new Map(), ledger: [] };
}

export function accountOf(world: World, account: string): AccountState {
  return world.accounts.get(account) ?? emptyAccount();
}

/** Applies the operations one after the other at one instant. */
export function applyBatch(before: World, ops: readonly Op[], nowMs: number): BatchStep {
  const now = Math.max(before.nowMs, nowMs);
  const accounts = new Map(before.accounts);
  const steps: Step[] = [];
  for (const op of ops) {
    const step = apply(accounts.get(op.account) ?? emptyAccount(), op, now);
    accounts.set(op.account, step.state);
    steps.push(step);
  }
  const entries = steps.flatMap((step) => step.entries);
  return {
    steps,
    results: steps.map((step) => step.result),
    entries,
    world: { nowMs: now, accounts, ledger: [...before.ledger, ...entries] },
  };
}
