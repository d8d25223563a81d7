// One partition in a real Redis, driven through the product's scripts, beside the oracle's world. After every batch
// everything that the scripts answered, stored and journaled is compared with what the oracle says.

import { crc32 } from 'node:zlib';
import { expect } from 'vitest';
import { packBatch } from '../../src/redis/batch.js';
import { BinaryReader } from '../../src/redis/binary.js';
import {
  AGENT_EVENT,
  AGENT_STATE,
  CODE,
  ENTRY,
  FLAG,
  FORMAT,
  OP,
  type PackedOperation,
  type PackedSubscription,
  PLAN_EVENT,
  REASON,
  readAccount,
  readOutcome,
  STATE,
  STATUS,
  type AccountState as StoredAccount,
  type StoredOutcome,
  unpack,
} from '../../src/redis/format.js';
import { type Hold, readHold } from '../../src/redis/hold-format.js';
import { type JournalEntry, readJournal } from '../../src/redis/journal.js';
import { accountScope, holdField, type PartitionKeys, partitionKeys } from '../../src/redis/keys.js';
import { OpaqueBuilder } from '../../src/redis/opaque.js';
import type { BatchReply, Fence } from '../../src/redis/scripts.js';
import { burnDown, heldOf, remainingOf } from '../oracle/account.js';
import { START_MS } from '../oracle/generators.js';
import {
  type AccountState,
  type Agent,
  type CheckpointOutcome,
  type Entry,
  type IdKind,
  type Import,
  type Lot,
  type Offer,
  type OfferedPlan,
  type OfferedTier,
  type Op,
  type Outcome,
  type Period,
  type Plan,
  type Price,
  type Result,
  type SessionOutcome,
  type Step,
  type Subscription,
  UNITS,
  type Unit,
} from '../oracle/model.js';
import { applyBatch, emptyWorld, type World } from '../oracle/world.js';
import type { TestScripts } from './scripts.js';

const UNIT_NUMBERS: Record<Unit, number> = { credits: 1, tts_characters: 2, llm_messages: 3 };
const SOURCE_NUMBERS = { free: 1, plan: 2, top_up: 3, conversion: 4, agent_cycle: 5, correction: 6 } as const;
const ID_LETTERS: Record<IdKind, string> = {
  usage: 'u',
  hold: 'h',
  extend: 'x',
  create: 'c',
  grant: 'g',
  reversal: 'r',
  reversed: 'o',
  rerate: 'p',
  expire_lot: 'l',
  convert: 'v',
  ended_lot: 'e',
  status: 's',
  plan: 'b',
  agent: 'a',
};
const INSTALLATION = 'test';
/** What the ledger would be told; the scripts do not read it. */
const nothingForTheLedger = new OpaqueBuilder().build();
const EPOCH = 1;
const AGENT = 'agent-1';
/** The agent that an operation is for; those of the oracle's own agents name it. */
const agentOf = (op: { agent?: string }): string => op.agent ?? AGENT;

/** One partition without an oracle: for volumes that a copying oracle is too slow for. */
export class TestPartition {
  seq = 0;

  private constructor(
    readonly test: TestScripts,
    readonly keys: PartitionKeys,
  ) {}

  /** Empties Redis and opens the partition at `nowMs`. */
  static async open(test: TestScripts, nowMs: number): Promise<TestPartition> {
    await test.connection.client.flushall();
    await test.setClock(nowMs);
    const partition = new TestPartition(test, partitionKeys('drawdown', 0));
    const epoch = { keys: partition.keys, installation: INSTALLATION, epoch: EPOCH, token: 'test' };
    expect(await test.epochs.make(epoch, { afterSeq: 0, bookedMs: 0 }, null)).toBe('OK');
    expect(await test.epochs.adopt(epoch, partition.fence().runId)).toBe('OK');
    return partition;
  }

  fence(): Fence {
    const { runId } = this.test.connection;
    if (runId === null) throw new Error('not connected');
    return { keys: this.keys, installation: INSTALLATION, epoch: EPOCH, runId, seqSeen: this.seq };
  }

  async apply(accounts: readonly string[], ops: readonly PackedOperation[]): Promise<BatchReply> {
    const batch = packBatch(accounts, ops);
    const reply = await this.test.scripts.batch(this.fence(), ops, batch, nothingForTheLedger, {
      ending: false,
    });
    if (reply.status !== 'OK') throw new Error(`the fence refused: ${JSON.stringify(reply)}`);
    this.seq = reply.seq;
    return reply;
  }

  async wallet(account: string, unit: number): Promise<{ remaining: bigint; debt: bigint }> {
    const packed = await this.test.connection.client.hgetBuffer(this.keys[1], account);
    const wallet = packed && readAccount(new BinaryReader(packed)).wallets.find((one) => one.unit === unit);
    const lots = wallet ? wallet.lots : [];
    return {
      remaining: lots.reduce((total, lot) => total + BigInt(lot.remaining), 0n),
      debt: BigInt(wallet ? wallet.debt : 0),
    };
  }
}

export class ComparedPartition {
  world: World;

  private constructor(
    readonly partition: TestPartition,
    nowMs: number,
  ) {
    this.world = emptyWorld(nowMs);
  }

  static async open(test: TestScripts, nowMs: number): Promise<ComparedPartition> {
    return new ComparedPartition(await TestPartition.open(test, nowMs), nowMs);
  }

  /** Applies operations to both, in as few batches as their order allows, and throws where they differ. */
  async batch(ops: readonly Op[], nowMs: number): Promise<Result[]> {
    const results: Result[] = [];
    for (const run of rowsThenUsage(ops)) results.push(...(await this.script(run, nowMs)));
    return results;
  }

  private async script(ops: readonly Op[], nowMs: number): Promise<Result[]> {
    await this.partition.test.setClock(nowMs);
    const before = this.world;
    const seqBefore = this.partition.seq;
    const step = applyBatch(before, ops, nowMs);
    const accounts = [...new Set(ops.map((op) => op.account))];
    const packed = ops.map((op) =>
      packOperation(op, accounts.indexOf(op.account) + 1, nowMs, [before, step.world]),
    );
    const reply = await this.partition.apply(accounts, packed);
    this.world = step.world;

    const expected = expectedJournal(ops, step.steps, seqBefore);
    expect(ops.map((_op, index) => observedResult(reply, index))).toEqual(
      ops.map((op, index) => expectedResult(op, step.steps[index] as Step, expected.lastSeqs[index] ?? 0)),
    );
    expect(reply.nowMs).toBe(step.world.nowMs);
    expect(reply.seq).toBe(seqBefore + expected.entries.length);
    expect(reply.expiredHolds).toBe(step.entries.filter(isExpiry).length);
    await this.compareJournal(accounts, expected.entries, seqBefore + 1);
    await this.compareState();
    return step.results;
  }

  private async compareJournal(
    accounts: readonly string[],
    expected: readonly unknown[],
    firstSeq: number,
  ): Promise<void> {
    const { partition, world } = this;
    const range = { epoch: EPOCH, fromSeq: firstSeq, recordsMax: 10 };
    const [record, ...more] = await readJournal(partition.test.connection, partition.keys[7], range);
    expect(more).toEqual([]);
    expect(record !== undefined).toBe(expected.length > 0);
    if (record === undefined) return;
    const { firstSeq: first, lastSeq, bookedTimeMs } = record;
    const { accountIds } = record.batch;
    expect({ first, lastSeq, bookedTimeMs, accountIds }).toEqual({
      first: firstSeq,
      lastSeq: partition.seq,
      bookedTimeMs: world.nowMs,
      accountIds: accounts,
    });
    expect(record.entries.map((entry) => observedEntry(entry, accounts))).toEqual(expected);

    // The states that the record carries are those that are stored now.
    const changed = new Set(expected.map((entry) => (entry as { account: string }).account));
    expect(new Set([...record.accounts.keys()].map((index) => accounts[index]))).toEqual(changed);
    const stored = await this.hash(1);
    for (const [index, state] of record.accounts) {
      expect(state).toEqual(readAccount(new BinaryReader(stored.get(accounts[index] as string) as Buffer)));
    }
    const agents = await this.hash(2);
    for (const { accountId, state } of record.subscriptions) {
      expect(state).toEqual(unpack(agents.get(accountScope(accountId)) as Buffer));
    }
    const holds = await this.hash(3);
    for (const { accountId, holdId, beganSeq, packed } of record.holds) {
      const hold = holds.get(holdField(accountId, holdId));
      expect(packed().toString('hex')).toEqual(hold ? hold.toString('hex') : '');
      expect(beganSeq).toBe(hold ? readHold(hold).seq : 0);
    }
  }

  private async compareState(): Promise<void> {
    const { client } = this.partition.test.connection;
    const { keys } = this.partition;
    const [accounts, agents, holds, ids0, ids1, deadlines] = await Promise.all([
      this.hash(1),
      this.hash(2),
      this.hash(3),
      this.hash(4),
      this.hash(5),
      client.zrange(keys[6], '-inf', '(+inf', 'BYSCORE', 'WITHSCORES'),
    ]);
    const existing = [...this.world.accounts].filter(([, state]) => state.exists);

    const observedAccounts = [...accounts].map(([id, packed]) => [
      id,
      observedAccount(readAccount(new BinaryReader(packed))),
    ]);
    expect(new Map(observedAccounts as [string, unknown][])).toEqual(
      new Map(existing.map(([id, state]) => [id, expectedAccount(state)])),
    );

    const observedSubscriptions = [...agents].map(([field, packed]) => [
      field,
      unpack<PackedSubscription>(packed),
    ]);
    expect(new Map(observedSubscriptions as [string, unknown][])).toEqual(
      new Map(existing.flatMap(expectedSubscriptions)),
    );

    const observedHolds = [...holds].map(([field, packed]) => [field, observedHold(readHold(packed))]);
    expect(new Map(observedHolds as [string, unknown][])).toEqual(new Map(existing.flatMap(expectedHolds)));

    const observedIds = [...ids0, ...ids1].map(([field, packed]) => [
      field,
      observedOutcome(readOutcome(new BinaryReader(packed))),
    ]);
    expect(new Map(observedIds as [string, unknown][])).toEqual(new Map(existing.flatMap(expectedIds)));

    // Deadlines of many holds, and of holds that have ended, say only when to look.
    const expectedDue = new Map(existing.flatMap(expectedDeadlines));
    const due = new Map<string, string>();
    const looks = new Set<string>();
    for (let i = 0; i < deadlines.length; i += 2) {
      const [member, at] = deadlines.slice(i, i + 2) as [string, string];
      if (member.startsWith('m'))
        for (const field of member.slice(1).split('\0')) looks.add(`${field} ${at}`);
      else if (expectedDue.has(member) || member.startsWith('a')) due.set(member, at);
    }
    for (const [member, at] of expectedDue)
      if (!due.has(member) && looks.has(`${member} ${at}`)) due.set(member, at);
    expect(due).toEqual(expectedDue);
  }

  /** A hash without its sentinel. */
  private async hash(key: 1 | 2 | 3 | 4 | 5): Promise<Map<string, Buffer>> {
    const all = await this.partition.test.connection.client.hgetallBuffer(this.partition.keys[key]);
    return new Map(Object.entries(all).filter(([field]) => field !== ''));
  }
}

/** A verdict and, of a refusal, its reason. */
export function inWords(result: { verdict: string; reason?: string }): string {
  return result.reason === undefined ? result.verdict : `${result.verdict} ${result.reason}`;
}

/** Plays one operation after the other, each at its time, and returns the verdicts in words. */
export async function playOn(
  scripts: TestScripts,
  steps: readonly (readonly [atMs: number, op: Op])[],
): Promise<{ said: string[]; world: World }> {
  const compared = await ComparedPartition.open(scripts, START_MS);
  const said: string[] = [];
  for (const [atMs, op] of steps) said.push(...(await compared.batch([op], atMs)).map(inWords));
  return { said, world: compared.world };
}

function isExpiry({ kind }: Entry): boolean {
  return kind === 'hold_expired' || kind === 'session_expired';
}

/** In a batch usage events come last. */
function rowsThenUsage(ops: readonly Op[]): Op[][] {
  const runs: Op[][] = [];
  ops.forEach((op, i) => {
    const follows = i > 0 && (op.kind === 'usage' || ops[i - 1]?.kind !== 'usage');
    if (follows) (runs.at(-1) as Op[]).push(op);
    else runs.push([op]);
  });
  return runs;
}

// --- operations -------------------------------------------------------------------------------------------------------

export function hashOf(payload: string): number {
  return crc32(payload);
}

export function packOperation(
  op: Op,
  accountIndex: number,
  timeMs: number,
  worlds: readonly World[],
): PackedOperation {
  const head = (kind: number, id: string, payload: string): PackedOperation => [
    kind,
    accountIndex,
    id,
    hashOf(payload),
    timeMs,
    // Grants are always looked up in Postgres: it knew nothing, before anything was ever forgotten. These need no look, and else would never be said in short.
    kind === OP.usage || kind === OP.openSession || kind === OP.settle ? -1 : 0,
  ];
  switch (op.kind) {
    case 'usage':
      return [...head(OP.usage, op.id, op.payload), agentOf(op), ...packPrices(op.prices)];
    case 'reserve':
      return [
        ...head(OP.reserve, op.hold, op.payload),
        op.holdTimeMs,
        op.catalogVersion,
        agentOf(op),
        'llm',
        'model-1',
        ...packPrices(op.prices),
      ];
    case 'extend':
      return [...head(OP.extend, op.id, op.payload), op.hold, Number(op.addAmount), op.holdTimeMs];
    case 'settle':
      return [
        ...head(OP.settle, op.hold, op.payload),
        op.pricedWith,
        agentOf(op),
        op.generation ?? 0,
        ...packPrices(op.prices),
      ];
    case 'openSession':
      return [
        ...head(OP.openSession, op.hold, op.payload),
        op.holdTimeMs,
        op.catalogVersion,
        agentOf(op),
        'llm',
        'model-1',
        op.quantities,
        op.generation ?? 0,
        ...op.offers.flatMap(packOffer),
      ];
    case 'checkpoint':
      return [
        ...head(OP.checkpoint, op.hold, ''),
        op.generation,
        Number(op.charge),
        op.quantities,
        op.holdTimeMs,
        Number(op.growLeast),
        Number(op.growWanted),
      ];
    case 'release':
      return [...head(OP.release, op.hold, 'release'), op.generation ?? 0];
    case 'expireHold':
      return head(OP.expireHold, op.hold, '');
    case 'touch':
      return head(OP.touch, '', '');
    case 'create':
      return [
        ...head(OP.create, op.id, op.payload),
        accountKey(op.account),
        0,
        ...beginningTerms(op.plan),
        ...importTerms(op.imported),
      ];
    case 'startPeriod':
      return [...head(OP.startPeriod, op.id, op.payload), ...packPlan(op.plan), op.startMs, op.endMs];
    case 'changePlan':
      return [...head(OP.changePlan, op.id, op.payload), ...packPlan(op.plan), op.endMs ?? 0];
    case 'unlockAgent':
      if ('kind' in op.tier) return [...head(OP.unlockAgent, op.id, op.payload), op.agent, ''];
      return [
        ...head(OP.unlockAgent, op.id, op.payload),
        op.agent,
        ...packTier(op.tier),
        Number(op.tier.unlock),
      ];
    case 'activateAgent':
      return [...head(OP.activateAgent, op.id, op.payload), op.agent, ...packTier(op.tier)];
    case 'suspendAgent':
      return [...head(OP.suspendAgent, op.id, op.payload), op.agent];
    case 'removeAgent':
      return [...head(OP.removeAgent, op.id, op.payload), op.agent];
    case 'cancelChange':
      return head(OP.withdrawChange, op.id, op.payload);
    case 'grant':
      return [
        ...head(OP.grant, op.id, op.payload),
        UNIT_NUMBERS[op.unit],
        Number(op.amount),
        SOURCE_NUMBERS.top_up,
        20,
        op.expiresAtMs ?? 0,
      ];
    case 'reversal': {
      const drawn = op.drawn.flatMap(({ lot, amount }) => {
        // As its caller saw the lot: before the batch, or as the batch made it.
        const origin = worlds
          .map((world) => world.accounts.get(op.account)?.lotOrigins.get(lot))
          .find((known) => known !== undefined);
        if (!origin) throw new Error(`lot ${lot} was never granted`);
        const { source, priority, expiresAtMs, owner } = origin;
        return [lot, Number(amount), SOURCE_NUMBERS[source], priority, expiresAtMs ?? 0, owner ?? 0];
      });
      return [
        ...head(OP.reverse, op.id, op.payload),
        UNIT_NUMBERS[op.unit],
        Number(op.amount),
        op.charge,
        op.withRerate ? 1 : op.unsettled ? 2 : 0,
        'reason',
        'text',
        ...drawn,
      ];
    }
    case 'rerate':
      return [...head(OP.rerate, op.id, ''), UNIT_NUMBERS[op.unit], Number(op.amount)];
    case 'expireLot':
      return [...head(OP.expireLot, op.id, op.payload), op.lot, 'reason', 'text'];
    case 'convert':
      return [
        ...head(OP.convert, op.id, op.payload),
        UNIT_NUMBERS[op.unit],
        Number(op.units),
        Number(op.cost),
        op.priority,
        op.catalogVersion,
      ];
    case 'setStatus': {
      const [status, from] = STATUS_CALLS[op.call];
      return [...head(OP.setStatus, op.id, op.payload), status, from, 'reason', 'text'];
    }
  }
}

/** The new status, and the one that the account must have (0: any other). */
const STATUS_CALLS = {
  freeze: [STATUS.frozen, STATUS.active],
  unfreeze: [STATUS.active, STATUS.frozen],
  close: [STATUS.closed, 0],
  reopen: [STATUS.active, STATUS.closed],
} as const;

function packPrices(prices: readonly Price[]): number[] {
  return prices.flatMap(({ unit, amount, blocks }) => {
    if (blocks)
      return [-Number(blocks.units), Number(blocks.micros / 1_000_000n) * 2 ** 20 + blocks.priority];
    return [UNIT_NUMBERS[unit], amount === 'unrated' ? -1 : Number(amount)];
  });
}

function packOffer({ unit, charge, least, wanted, blocks }: Offer): number[] {
  const amount = 0n;
  const [first = 0, terms = 0] = blocks ? packPrices([{ unit, amount, blocks }]) : [UNIT_NUMBERS[unit], 0];
  return [first, Number(charge), Number(least), Number(wanted), terms];
}

function packTier(tier: OfferedTier): (string | number)[] {
  if ('kind' in tier) return [tier.name];
  const { name, cycle, renewal, own, priority, draws, graceMs } = tier;
  const calendar = cycle.unit === 'day' ? 1 : 2;
  return [name, calendar, cycle.count, Number(renewal), Number(own), priority, draws ? 1 : 0, graceMs];
}

const PLAN_KINDS = { expire: 0, keep: 1, free: 2 } as const;

function packPlan(plan: OfferedPlan): (string | number)[] {
  if (plan.kind === 'unknown') return [plan.name, 0, -1, -1, 0, 0];
  const { name, rank, agentsMax, credits, priority, kind } = plan;
  return [name, rank, agentsMax ?? -1, Number(credits), priority, PLAN_KINDS[kind]];
}

function beginningTerms(plan: OfferedPlan | undefined): (string | number)[] {
  if (plan === undefined) return ['', 0, -1, -1, 0];
  if (plan.kind === 'unknown') return [plan.name, -1, -1, -1, 0];
  return packChange(plan);
}

function importTerms(imported: Import | undefined): number[] {
  if (imported === undefined) return [0, 0, 0];
  const { lots, period } = imported;
  const packed = lots.flatMap(({ unit, remaining, source, priority, expiresAtMs }) => [
    UNIT_NUMBERS[unit],
    Number(remaining),
    SOURCE_NUMBERS[source],
    priority,
    expiresAtMs ?? 0,
  ]);
  return [1, period?.startMs ?? 0, period?.endMs ?? 0, ...packed];
}

function packChange({ name, rank, agentsMax, credits, priority, kind }: Plan): (string | number)[] {
  return [name, rank, agentsMax ?? -1, kind === 'free' ? Number(credits) : -1, priority];
}

function accountKey(account: string): number {
  return account.charCodeAt(0);
}

// --- results ----------------------------------------------------------------------------------------------------------

const CODE_NAMES = new Map<unknown, string>(Object.entries(CODE).map(([name, number]) => [number, name]));
const REASON_NUMBERS: Record<string, number> = {
  INSUFFICIENT_BALANCE: REASON.insufficientBalance,
  MODEL_UNRATED: REASON.modelUnrated,
  HOLD_ENDED: REASON.holdEnded,
  HOLD_UNKNOWN: REASON.holdUnknown,
  FIELD_INVALID: REASON.fieldInvalid,
  AMOUNT_OUT_OF_RANGE: REASON.amountOutOfRange,
  ACCOUNT_EXISTS: REASON.accountExists,
  ACCOUNT_ACTIVE: REASON.accountActive,
  ACCOUNT_FROZEN: REASON.accountFrozen,
  ACCOUNT_CLOSED: REASON.accountClosed,
  ALREADY_REVERSED: REASON.alreadyReversed,
  LOT_UNKNOWN: REASON.lotUnknown,
  PERIOD_OVERLAPS: REASON.periodOverlaps,
  PERIOD_ENDED: REASON.periodEnded,
  PERIOD_STORED: REASON.periodStored,
  PLAN_UNCHANGED: REASON.planUnchanged,
  NOTHING_SCHEDULED: REASON.nothingScheduled,
  AGENT_SUSPENDED: REASON.agentSuspended,
  AGENT_UNKNOWN: REASON.agentUnknown,
  AGENT_EXISTS: REASON.agentExists,
  AGENT_ACTIVE: REASON.agentActive,
  AGENTS_MAX: REASON.agentsMax,
  LOT_ENDED: REASON.lotEnded,
  LIMIT_REACHED: REASON.lotsMax,
};

function observedResult(reply: BatchReply, index: number): unknown {
  const result = reply.results[index];
  if (result === undefined) return undefined;
  switch (result.code) {
    case 'account':
      return { code: 'ok', account: observedAccount(result.account) };
    case 'swept':
      return { code: 'ok' };
    case 'opened':
    case 'checkpointed':
      return { code: 'ok', ...result.session };
    case CODE.ok:
      return { code: 'ok', ...observedOutcome(result.outcome), seq: result.outcome.seq };
    case CODE.ended:
      return { code: 'ended', ...observedOutcome(result.outcome) };
    case CODE.duplicate:
      return { code: 'duplicate', ...observedOutcome(result.outcome) };
    case CODE.denied: {
      const { reason, unit, available, missing } = result.denial;
      const shortfall = reason === REASON.insufficientBalance ? { unit, available, missing } : {};
      return { code: 'denied', reason, ...shortfall };
    }
    case CODE.reprice:
      return { code: 'reprice', catalogVersion: result.catalogVersion };
    default:
      return { code: CODE_NAMES.get(result.code) };
  }
}

function expectedResult(op: Op, step: Step, lastSeq: number): unknown {
  const { result } = step;
  switch (result.verdict) {
    case 'done':
      if (result.outcome.of === 'session')
        return { code: 'ok', ...expectedSession(op, step, result.outcome), seq: lastSeq };
      if (result.outcome.of === 'checkpoint')
        return { code: 'ok', ...expectedCheckpoint(result.outcome), seq: lastSeq };
      return { code: 'ok', ...expectedOutcome(result.outcome), seq: lastSeq };
    case 'ended':
      return { code: 'ended', ...expectedOutcome(result.outcome) };
    case 'duplicate':
      return { code: 'duplicate', ...expectedOutcome(result.outcome) };
    case 'conflict':
      return { code: 'conflict' };
    case 'reprice':
      return { code: 'reprice', catalogVersion: result.catalogVersion };
    case 'stale':
      return { code: 'stale' };
    case 'swept': {
      if (!step.state.exists) return { code: 'miss' };
      if (op.kind === 'touch') return { code: 'ok', account: expectedAccount(step.state) };
      return { code: 'ok' };
    }
    default: {
      const { reason, shortfall } = result;
      if (reason === 'ACCOUNT_UNKNOWN') return { code: 'miss' };
      if (reason === 'PLAN_UNKNOWN' || reason === 'TIER_UNKNOWN') return { code: 'none' };
      return {
        code: 'denied',
        reason: REASON_NUMBERS[reason],
        ...(shortfall && {
          unit: UNIT_NUMBERS[shortfall.unit],
          available: Number(shortfall.available),
          missing: Number(shortfall.missing),
        }),
      };
    }
  }
}

function expectedSession(op: Op, { state }: Step, outcome: SessionOutcome): object {
  const hold = state.holds.get((op as Extract<Op, { hold: string }>).hold);
  return {
    generation: outcome.session.generation,
    unit: UNIT_NUMBERS[outcome.unit],
    held: Number(outcome.held),
    covers: Number(outcome.covers),
    available: Number(outcome.available),
    deadlineMs: outcome.deadlineMs,
    catalogVersion: hold?.catalogVersion,
    charge: Number(outcome.session.charge),
    details: outcome.tookOver ? outcome.session.quantities : '',
  };
}

function expectedCheckpoint(outcome: CheckpointOutcome): object {
  return {
    reason: outcome.refused === undefined ? 0 : REASON_NUMBERS[outcome.refused],
    othersHold: outcome.othersHold,
    held: Number(outcome.held),
    covers: Number(outcome.covers),
    available: Number(outcome.available),
    deadlineMs: outcome.deadlineMs,
  };
}

type OutcomeForm = Record<
  'state' | 'unit' | 'amount' | 'overdrawn' | 'available' | 'flags' | 'extra' | 'converted' | 'cycleStartMs',
  unknown
>;

function observedOutcome(stored: StoredOutcome): OutcomeForm {
  const { state, unit, amount, overdrawn, available, flags, extra, converted, cycleStartMs } = stored;
  return { state, unit, amount, overdrawn, available, flags, extra, converted, cycleStartMs };
}

function expectedOutcome(outcome: Outcome): OutcomeForm {
  const form = (state: number, unit: Unit, numbers: Record<'amount' | 'available', bigint>, rest = {}) => ({
    state,
    unit: UNIT_NUMBERS[unit],
    amount: Number(numbers.amount),
    overdrawn: 0,
    available: Number(numbers.available),
    flags: 0,
    extra: 0,
    converted: 0,
    cycleStartMs: 0,
    ...rest,
  });
  const available = 'available' in outcome ? outcome.available : 0n;
  switch (outcome.of) {
    case 'usage': {
      const overdrawn = Number(outcome.overdrawn);
      const flags = flagsOf(outcome.flags);
      return form(
        STATE.recorded,
        outcome.unit,
        { amount: outcome.charged, available },
        { overdrawn, flags, ...convertedOf(outcome.converted) },
      );
    }
    case 'rerate': {
      const overdrawn = Number(outcome.overdrawn);
      const flags = flagsOf(outcome.flags);
      return form(STATE.rerated, outcome.unit, { amount: outcome.charged, available }, { overdrawn, flags });
    }
    case 'expire_lot':
      return form(
        STATE.lotExpired,
        outcome.unit,
        { amount: outcome.expired, available },
        { extra: outcome.atMs ?? 0 },
      );
    case 'plan':
      return form(
        PLAN_STATES[outcome.what],
        'credits',
        { amount: outcome.granted, available },
        { overdrawn: Number(outcome.debtPaid), extra: outcome.extra },
      );
    case 'carried':
      return form(
        STATE.periodStarted,
        'credits',
        { amount: 0n, available },
        { extra: outcome.expiresAtMs ?? 0 },
      );
    case 'session':
    case 'checkpoint':
      throw new Error('what an open session answers is not stored');
    case 'status':
    case 'withdrawn':
      return {
        state: outcome.of === 'status' ? STATE.statusSet : STATE.planWithdrawn,
        unit: 0,
        amount: 0,
        overdrawn: 0,
        available: 0,
        flags: 0,
        extra: 0,
        converted: 0,
        cycleStartMs: 0,
      };
    case 'agent':
      return form(
        AGENT_STATES[outcome.what],
        'credits',
        { amount: outcome.cost, available },
        { extra: outcome.endMs, cycleStartMs: outcome.startMs },
      );
    case 'reserve':
    case 'extend': {
      const state = outcome.of === 'reserve' ? STATE.held : STATE.extended;
      return form(state, outcome.unit, { amount: outcome.held, available }, { extra: outcome.deadlineMs });
    }
    case 'end':
      return form(
        STATE[outcome.state],
        outcome.unit,
        { amount: outcome.charged, available },
        {
          overdrawn: Number(outcome.overdrawn),
          flags: flagsOf(outcome.flags),
          extra: Number(outcome.released),
          ...convertedOf(outcome.converted),
        },
      );
    case 'create':
      return {
        state: STATE.created,
        unit: 0,
        amount: 0,
        overdrawn: 0,
        available: 0,
        flags: 0,
        extra: outcome.createdMs,
        converted: 0,
        cycleStartMs: 0,
      };
    case 'grant':
      return form(
        STATE.granted,
        outcome.unit,
        { amount: outcome.granted, available },
        { overdrawn: Number(outcome.debtPaid), extra: outcome.lot },
      );
    case 'convert':
      return form(
        STATE.converted,
        outcome.unit,
        { amount: outcome.granted, available },
        {
          overdrawn: Number(outcome.debtPaid),
          flags: FLAG.converted,
          extra: outcome.lot,
          converted: Number(outcome.converted),
        },
      );
    case 'reversal':
      return form(
        STATE.reversed,
        outcome.unit,
        { amount: outcome.amount, available },
        { overdrawn: Number(outcome.debtPaid) },
      );
  }
}

const AGENT_STATES = {
  unlocked: STATE.agentUnlocked,
  activated: STATE.agentActivated,
  suspended: STATE.agentSuspended,
  removed: STATE.agentRemoved,
} as const;
const PLAN_STATES = {
  started: STATE.periodStarted,
  stored: STATE.periodStored,
  changed: STATE.planChanged,
  scheduled: STATE.planScheduled,
} as const;
function convertedOf(converted: bigint | undefined) {
  return converted === undefined ? {} : { converted: Number(converted) };
}

function flagsOf(flags: readonly (keyof typeof FLAG)[]): number {
  return flags.reduce((total, flag) => total + FLAG[flag], 0);
}

// --- journal ----------------------------------------------------------------------------------------------------------

/** What the record of a batch should hold, and the seq of the last entry of each operation. */
function expectedJournal(
  ops: readonly Op[],
  steps: readonly Step[],
  seqBefore: number,
): { entries: unknown[]; lastSeqs: number[] } {
  const entries: unknown[] = [];
  const lastSeqs: number[] = [];
  steps.forEach((step, index) => {
    const op = ops[index] as Op;
    entries.push(
      ...step.entries.map((entry, i) => {
        const next = step.entries.slice(i).find(({ kind }) => !kind.startsWith('conversion'));
        return expectedEntry(entry, op, index + 1, next?.kind === 'session_expired' ? next : undefined);
      }),
    );
    const { result } = step;
    if (result.verdict === 'done')
      entries.push(...expectedHoldEntries(op, result.outcome, step.state, index + 1));
    lastSeqs.push(seqBefore + entries.length);
  });
  return { entries, lastSeqs };
}

/** Those that time may cause carry when they were due. */
const DUE = [
  'release',
  'hold_expired',
  'session_expired',
  'lot_expired',
  'plan_grant',
  'plan_change',
  'agent_unlock',
  'agent_renewal',
  'agent_grant',
  'agent_status',
];

/** `ending`: the session that ended by itself, for which this entry converts. */
function expectedEntry(entry: Entry, op: Op, opIndex: number, ending: Entry | undefined): unknown {
  const amounts: Record<string, bigint> = {
    grant: entry.granted,
    plan_grant: entry.granted,
    opening_lot: entry.granted,
    agent_grant: entry.granted,
    lot_expired: entry.expired,
    expire_lot: entry.expired,
    conversion: entry.converted,
    conversion_grant: entry.granted,
    reversal: -entry.spent,
  };
  const described = entry.kind === 'release' || isExpiry(entry);
  const byItself = ending !== undefined && entry.kind.startsWith('conversion');
  const ofSession = byItself
    ? [ending.id, ending.holdAgent || AGENT, 'llm', 'model-1', ending.quantities]
    : null;
  return {
    // A charge names what it converts; what has no name else happened by itself.
    opIndex:
      (entry.id === undefined && (byItself || !entry.kind.startsWith('conversion'))) || isExpiry(entry)
        ? 0
        : opIndex,
    kind: ENTRY[entry.kind],
    account: op.account,
    number: entry.accountSeq,
    unit: entry.unit === undefined ? 0 : UNIT_NUMBERS[entry.unit],
    amount: Number(amounts[entry.kind] ?? entry.spent),
    debt: Number(entry.debt),
    remaining: Number(entry.after?.remaining ?? 0n),
    held: Number(entry.after?.held ?? 0n),
    debtAfter: Number(entry.after?.debt ?? 0n),
    flags: flagsOf(entry.flags),
    released: Number(entry.released),
    lots: entry.lots.map(({ lot, delta }) => [lot, Number(delta)]),
    hold: described
      ? [entry.id, entry.holdAgent || AGENT, 'llm', 'model-1', entry.quantities || '{}']
      : ofSession,
    settledFor: entry.kind === 'settle' ? entry.holdAgent || AGENT : '',
    before: entry.before
      ? {
          charged: Number(entry.before.charged),
          overdrawn: Number(entry.before.overdrawn),
          converted: Number(entry.before.converted),
        }
      : null,
    lotPriority: entry.priority,
    dueMs: DUE.includes(entry.kind) ? entry.dueMs : 0,
    plan:
      entry.kind === 'opening_lot'
        ? ['', 0, 0, 0]
        : entry.plan
          ? [
              entry.plan.plan,
              entry.plan.event === undefined ? 0 : PLAN_EVENT[entry.plan.event],
              entry.plan.fromMs ?? 0,
              entry.plan.toMs ?? 0,
            ]
          : null,
    agent: entry.agent ? { ...entry.agent, event: AGENT_EVENT[entry.agent.event] } : null,
  };
}

/** What an operation journals that is no line of the ledger: the kind of entry, and what a hold was set aside more. */
function heldEntry(op: Op, outcome: Outcome): { kind: number; unit: Unit; amount: bigint } | undefined {
  switch (outcome.of) {
    case 'reserve':
      return { kind: ENTRY.hold, unit: outcome.unit, amount: outcome.held };
    case 'extend':
      return { kind: ENTRY.extend, unit: outcome.unit, amount: op.kind === 'extend' ? op.addAmount : 0n };
    case 'session':
      if (outcome.tookOver) return { kind: ENTRY.checkpoint, unit: outcome.unit, amount: 0n };
      return { kind: ENTRY.hold, unit: outcome.unit, amount: outcome.held };
    case 'checkpoint':
      return { kind: ENTRY.checkpoint, unit: outcome.unit, amount: outcome.grown };
    default:
      return undefined;
  }
}

function expectedHoldEntries(op: Op, outcome: Outcome, state: AccountState, opIndex: number): unknown[] {
  const entry = heldEntry(op, outcome);
  if (entry === undefined) return [];
  const { kind, unit, amount } = entry;
  const wallet = state.wallets[unit];
  const saysMore = kind !== ENTRY.hold;
  const expected = {
    opIndex,
    kind,
    account: op.account,
    number: 0,
    unit: UNIT_NUMBERS[unit],
    amount: Number(amount),
    debt: 0,
    remaining: saysMore ? Number(remainingOf(wallet)) : 0,
    held: saysMore ? Number(heldOf(wallet)) : 0,
    debtAfter: saysMore ? Number(wallet.debt) : 0,
    flags: 0,
    released: 0,
    lots: [],
    hold: null,
    settledFor: '',
    before: null,
    lotPriority: 0,
    dueMs: 0,
    plan: null,
    agent: null,
  };
  return [expected];
}

function observedEntry(entry: JournalEntry, accounts: readonly string[]): unknown {
  const { operation, kind, unit, amount, debt, flags, released, hold, before, dueMs, plan, agent } = entry;
  const changes: unknown[] = [];
  for (let i = 0; i < entry.lots.length; i += 2) {
    // A grant that only paid debt names its lot with a change of 0.
    if (entry.lots[i + 1] !== 0 || i > 0) changes.push([entry.lots[i], entry.lots[i + 1]]);
  }
  return {
    opIndex: operation + 1,
    kind,
    account: accounts[entry.account],
    number: entry.accountSeq,
    unit,
    amount,
    debt,
    remaining: entry.remainingAfter,
    held: entry.heldAfter,
    debtAfter: entry.debtAfter,
    flags,
    released,
    lots: changes,
    hold: hold && [hold.holdId, hold.agent, hold.meter, hold.model, hold.quantities],
    settledFor: entry.settledFor,
    before,
    lotPriority: entry.lotPriority,
    dueMs,
    plan: plan && [plan.name, plan.event, plan.fromMs, plan.toMs],
    agent,
  };
}

// --- state ------------------------------------------------------------------------------------------------------------

function observedAccount(stored: StoredAccount): unknown {
  const { key, status, entries, lotsMade, openHolds, dueAtMs, special, isConsistent } = stored;
  const wallets = stored.wallets.filter(({ debt, lots }) => debt !== 0 || lots.length > 0);
  return { key, status, entries, lotsMade, openHolds, dueAtMs, special, wallets, isConsistent };
}

function expectedAccount(state: AccountState): unknown {
  const wallets = UNITS.map((unit) => ({
    unit: UNIT_NUMBERS[unit],
    debt: Number(state.wallets[unit].debt),
    lots: burnDown(state.wallets[unit].lots).map((lot) => ({
      id: lot.lot,
      source: SOURCE_NUMBERS[lot.source],
      priority: lot.priority,
      expiresAtMs: lot.expiresAtMs ?? 0,
      remaining: Number(lot.remaining),
      held: Number(lot.held),
      owner: lot.owner ?? 0,
    })),
  }));
  return {
    key: expect.any(Number),
    status: STATUS[state.status],
    entries: state.lastEntry,
    lotsMade: state.lastLot,
    openHolds: state.holds.size,
    dueAtMs: dueAt(state),
    special: (state.subscription?.agents ?? []).some(
      ({ state: is, tier }) => is !== 'active' || !tier.draws || tier.own > 0n,
    ),
    wallets: wallets.filter(({ debt, lots }) => debt !== 0 || lots.length > 0),
    isConsistent: true,
  };
}

/** When the plan is due, or the soonest expiry of a lot of which something could still expire by itself; 0: never. */
function dueAt(state: AccountState): number {
  const lots: Lot[] = UNITS.flatMap((unit) => state.wallets[unit].lots);
  const times = lots
    .filter((lot) => lot.remaining > lot.held)
    .flatMap((lot) => (lot.expiresAtMs === undefined ? [] : [lot.expiresAtMs]));
  const { period, next, change, agents = [] } = state.subscription ?? {};
  for (const { dueMs } of agents) if (dueMs !== undefined) times.push(dueMs);
  if (next) times.push(next.startMs);
  if (change && period) times.push(period.endMs);
  return times.length === 0 ? 0 : Math.min(...times);
}

function expectedSubscriptions([account, state]: [string, AccountState]): [string, unknown][] {
  const { subscription } = state;
  return subscription ? [[accountScope(account), packedSubscription(subscription)]] : [];
}

function packedSubscription(subscription: Subscription): unknown[] {
  const { plan, period, next, change, freeGranted, agentsMade, agents } = subscription;
  return [
    FORMAT,
    plan?.name ?? '',
    plan?.rank ?? 0,
    plan?.agentsMax ?? -1,
    period ? packedPeriod(period) : false,
    freeGranted ? 1 : 0,
    next ? packedPeriod(next) : false,
    change ? packChange(change) : false,
    agentsMade,
    agents.map(packedAgent),
  ];
}

function packedAgent({ number, id, state, tier, anchorMs, cycles, startMs, endMs, dueMs }: Agent): unknown[] {
  return [number, id, AGENT_STATE[state], ...packTier(tier), anchorMs, cycles, startMs, endMs, dueMs ?? 0];
}

function packedPeriod({ plan, startMs, endMs, granted }: Period): unknown[] {
  const { name, rank, agentsMax, credits, priority, kind } = plan;
  const terms = [startMs, endMs, name, rank, agentsMax ?? -1, Number(credits), priority, PLAN_KINDS[kind]];
  return granted ? [...terms, granted.lot, Number(granted.amount), Number(granted.debtPaid)] : terms;
}

function observedHold(hold: Hold): unknown {
  const { unit, amount, deadlineMs, catalogVersion, hash, first, meter, model } = hold;
  const { agentId: agent, accountKey: key, parts, generation, charge, details, terms } = hold;
  const session = { generation, charge, details };
  const head = { unit, amount, deadlineMs, catalogVersion, hash, first, agent, meter, model, key };
  return { ...head, parts, session, terms };
}

function expectedHolds([account, state]: [string, AccountState]): [string, unknown][] {
  return [...state.holds].map(([id, hold]) => [
    holdField(account, id),
    {
      unit: UNIT_NUMBERS[hold.unit],
      amount: Number(hold.amount),
      deadlineMs: hold.deadlineMs,
      catalogVersion: hold.catalogVersion,
      hash: hashOf(hold.payload),
      first: hold.session
        ? null
        : {
            held: Number(hold.outcome.held),
            available: Number(hold.outcome.available),
            deadlineMs: hold.outcome.deadlineMs,
          },
      agent: hold.agent || AGENT,
      meter: 'llm',
      model: 'model-1',
      key: accountKey(account),
      parts: hold.parts.flatMap(({ lot, amount }) => [lot, Number(amount)]),
      session: {
        generation: hold.session?.generation ?? 0,
        charge: Number(hold.session?.charge ?? 0n),
        details: hold.session?.quantities ?? '',
      },
      terms: hold.terms
        ? {
            blockUnits: Number(hold.terms.units),
            blockMicros: Number(hold.terms.micros),
            priority: hold.terms.priority,
          }
        : null,
    },
  ]);
}

function expectedIds([account, state]: [string, AccountState]): [string, unknown][] {
  return [...state.ids].map(([key, { outcome }]) => {
    const [kind, ...id] = key.split(' ');
    return [ID_LETTERS[kind as IdKind] + accountScope(account) + id.join(' '), expectedOutcome(outcome)];
  });
}

function expectedDeadlines([account, state]: [string, AccountState]): [string, string][] {
  const holds = [...state.holds].map(([id, hold]): [string, string] => [
    holdField(account, id),
    String(hold.deadlineMs),
  ]);
  const due = dueAt(state);
  return due > 0 ? [...holds, [`a${account}`, String(due)]] : holds;
}
