// What the entries alone say about an account, and whether that agrees with its state.

import { heldOf, remainingOf } from './account.js';
import { type AccountState, AMOUNT_MAX, type Entry, UNITS, type Unit } from './model.js';

export interface FoldedWallet {
  granted: bigint;
  spent: bigint;
  expired: bigint;
  converted: bigint;
  debt: bigint;
  remaining: bigint;
  /** What remains of each lot that has something left. */
  lots: Map<number, bigint>;
}

function emptyFold(): FoldedWallet {
  return {
    granted: 0n,
    spent: 0n,
    expired: 0n,
    converted: 0n,
    debt: 0n,
    remaining: 0n,
    lots: new Map(),
  };
}

/** Adds up the entries of one account, per wallet. */
export function fold(entries: readonly Entry[]): Record<Unit, FoldedWallet> {
  const wallets = {
    credits: emptyFold(),
    tts_characters: emptyFold(),
    llm_messages: emptyFold(),
  };
  for (const entry of entries) {
    if (entry.unit === undefined) continue;
    const wallet = wallets[entry.unit];
    wallet.granted += entry.granted;
    wallet.spent += entry.spent;
    wallet.expired += entry.expired;
    wallet.converted += entry.converted;
    wallet.debt += entry.debt;
    for (const { lot, delta } of entry.lots) {
      wallet.remaining += delta;
      const left = (wallet.lots.get(lot) ?? 0n) + delta;
      if (left === 0n) wallet.lots.delete(lot);
      else wallet.lots.set(lot, left);
    }
  }
  return wallets;
}

/**
 * Every way in which the entries of one account (all of them, in order) break the rules or disagree with its state.
 * An empty list means that every unit is accounted for.
 */
export function conservation(entries: readonly Entry[], state: AccountState): string[] {
  const broken: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) broken.push(what);
  };

  entries.forEach((entry, index) => {
    const name = `entry ${entry.accountSeq} (${entry.kind})`;
    check(entry.accountSeq === index + 1, `${name}: should be numbered ${index + 1}`);
    const change = entry.lots.reduce((total, { delta }) => total + delta, 0n);
    const right = change + entry.spent + entry.expired + entry.converted;
    check(entry.granted + entry.debt === right, `${name}: ${entry.granted} + ${entry.debt} != ${right}`);
    if (entry.unit === undefined) return;
    const wallet = fold(entries.slice(0, index + 1))[entry.unit];
    check(entry.after?.remaining === wallet.remaining, `${name}: remaining after is not the sum so far`);
    check(entry.after?.debt === wallet.debt, `${name}: debt after is not the sum so far`);
    for (const [lot, left] of wallet.lots) check(left >= 0n, `${name}: lot ${lot} is overdrawn`);
  });
  check(entries.length === state.lastEntry, 'the state counts another number of entries');

  const folded = fold(entries);
  for (const unit of UNITS) {
    const wallet = state.wallets[unit];
    const { granted, spent, expired, converted, debt, remaining, lots } = folded[unit];
    check(debt === wallet.debt, `${unit}: debt`);
    check(remaining === remainingOf(wallet), `${unit}: remaining`);
    const available = remainingOf(wallet) - heldOf(wallet);
    check(
      granted + wallet.debt === available + heldOf(wallet) + spent + expired + converted,
      `${unit}: granted + debt = available + held + spent + expired + converted away`,
    );
    check(wallet.debt >= 0n && wallet.debt <= AMOUNT_MAX, `${unit}: debt out of range`);
    check(remaining <= AMOUNT_MAX, `${unit}: remaining out of range`);
    check(lots.size === wallet.lots.length, `${unit}: other lots than the ledger's`);
    for (const lot of wallet.lots) {
      check(lots.get(lot.lot) === lot.remaining, `${unit}: remaining of lot ${lot.lot}`);
      check(lot.held >= 0n && lot.held <= lot.remaining, `${unit}: held of lot ${lot.lot} out of range`);
      const parts = [...state.holds.values()].flatMap((hold) => hold.parts);
      const held = parts
        .filter((part) => part.lot === lot.lot)
        .reduce((total, part) => total + part.amount, 0n);
      check(held === lot.held, `${unit}: held of lot ${lot.lot} is not what the open holds set aside`);
    }
  }
  for (const [id, hold] of state.holds) {
    const parts = hold.parts.reduce((total, part) => total + part.amount, 0n);
    check(parts === hold.amount, `hold ${id}: its parts are not its amount`);
    for (const part of hold.parts) {
      const lot = state.wallets[hold.unit].lots.find((candidate) => candidate.lot === part.lot);
      check(lot !== undefined, `hold ${id}: lot ${part.lot} is not in the state`);
    }
  }
  return broken;
}
