/** What Postgres and Redis hold of every account beside what the oracle says, in one form for all three. */
import type { Pool } from 'pg';
import { BinaryReader } from '../../src/redis/binary.js';
import type { RedisConnection } from '../../src/redis/connection.js';
import {
  AGENT_STATE,
  CYCLE,
  type PackedSubscription,
  readAccount,
  STATUS,
  type AccountState as StoredAccount,
  unpack,
} from '../../src/redis/format.js';
import { accountScope, type PartitionKeys } from '../../src/redis/keys.js';
import { type AccountState, type Agent, type Entry, UNITS } from '../oracle/model.js';

const SOURCES = ['', 'free', 'plan', 'top_up', 'conversion', 'agent_cycle', 'correction'];

/** All wallets of an account and how it stands; JSON of it is compared. */
interface Account {
  readonly status: number;
  readonly lines: number;
  readonly lotsMade: number;
  readonly openHolds: number;
  /** Unit and debt, where there is some. */
  readonly debts: readonly (readonly [unit: string, debt: number])[];
  /** In the order of their numbers. */
  readonly lots: readonly (readonly [
    lot: number,
    unit: string,
    source: string,
    priority: number,
    expiresMs: number,
    remaining: number,
    held: number,
    owner: number,
  ])[];
  /** In the order of their unlocking, with their terms and cycles, as lua/includes/formats.lua has them. */
  readonly agents: readonly (readonly (number | string)[])[];
}

/** What only Postgres can be asked for in one go. */
interface Promised {
  readonly holds: readonly (readonly [id: string, unit: string, held: number, deadlineMs: number])[];
  readonly plan: readonly [plan: string, periodStartMs: number, periodEndMs: number];
}

export function ofOracle(state: AccountState): { account: Account; promised: Promised } {
  const lots = UNITS.flatMap((unit) => state.wallets[unit].lots).sort((a, b) => a.lot - b.lot);
  const { plan, period, agents = [] } = state.subscription ?? {};
  return {
    account: {
      status: STATUS[state.status],
      lines: state.lastEntry,
      lotsMade: state.lastLot,
      openHolds: state.holds.size,
      debts: UNITS.flatMap((unit) => {
        const debt = Number(state.wallets[unit].debt);
        return debt === 0 ? [] : [[unit, debt] as const];
      }),
      lots: lots.map(({ lot, unit, source, priority, expiresAtMs, remaining, held, owner }) => [
        lot,
        unit,
        source,
        priority,
        expiresAtMs ?? 0,
        Number(remaining),
        Number(held),
        owner ?? 0,
      ]),
      agents: agents.map(packedAgent),
    },
    promised: {
      holds: [...state.holds]
        .map(([id, { unit, amount, deadlineMs }]) => [id, unit, Number(amount), deadlineMs] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
      plan: [plan?.name ?? '', period?.startMs ?? 0, period?.endMs ?? 0],
    },
  };
}

function packedAgent({ number, id, state, tier, anchorMs, cycles, startMs, endMs, dueMs }: Agent) {
  const { name, cycle, renewal, own, priority, draws, graceMs } = tier;
  return [
    ...[number, id, AGENT_STATE[state], name, CYCLE[cycle.unit], cycle.count, Number(renewal), Number(own)],
    ...[priority, draws ? 1 : 0, graceMs, anchorMs, cycles, startMs, endMs, dueMs ?? 0],
  ];
}

function agentsOf(packed: Buffer | null | undefined): Account['agents'] {
  return packed ? unpack<PackedSubscription>(packed)[9] : [];
}

function ofRedis(
  { status, entries, lotsMade, openHolds, wallets }: StoredAccount,
  subscription: Buffer | undefined,
): Account {
  const unitOf = (number: number) => UNITS[number - 1] as string;
  return {
    status,
    lines: entries,
    lotsMade,
    openHolds,
    debts: wallets.flatMap(({ unit, debt }) => (debt === 0 ? [] : [[unitOf(unit), debt] as const])),
    lots: wallets
      .flatMap(({ unit, lots }) =>
        lots.map(
          ({ id, source, priority, expiresAtMs, remaining, held, owner }) =>
            [
              id,
              unitOf(unit),
              SOURCES[source] as string,
              priority,
              expiresAtMs,
              remaining,
              held,
              owner,
            ] as const,
        ),
      )
      .sort(([a], [b]) => a - b),
    agents: agentsOf(subscription),
  };
}

/** The accounts that Redis holds now. */
export async function readRedis(
  connection: RedisConnection,
  partitions: readonly { readonly keys: PartitionKeys }[],
): Promise<Map<string, Account>> {
  const accounts = new Map<string, Account>();
  for (const { keys } of partitions) {
    const all = await connection.client.hgetallBuffer(keys[1]);
    const subscriptions = await connection.client.hgetallBuffer(keys[2]);
    for (const [id, packed] of Object.entries(all)) {
      if (id !== '')
        accounts.set(id, ofRedis(readAccount(new BinaryReader(packed)), subscriptions[accountScope(id)]));
    }
  }
  return accounts;
}

/** All accounts as of the cursor. */
export async function readPostgres(
  pool: Pool,
): Promise<Map<string, { account: Account; promised: Promised }>> {
  const { rows } = await pool.query({
    name: 'simulation_accounts',
    text: `SELECT a.account_id, a.status, a.entries, a.lots_made, a.open_holds, coalesce(s.plan, '') AS plan,
             coalesce(s.period_start_ms, 0) AS starts, coalesce(s.period_end_ms, 0) AS ends, s.state AS subscription,
             (SELECT json_agg(json_build_array(unit, debt) ORDER BY array_position(ARRAY['credits', 'tts_characters', 'llm_messages'], unit))
              FROM wallets w WHERE w.account_key = a.account_key AND debt > 0) AS debts,
             (SELECT json_agg(json_build_array(lot_id, unit, source, priority, expires_ms, remaining, held, owner) ORDER BY lot_id)
              FROM lots l WHERE l.account_key = a.account_key AND remaining > 0) AS lots,
             (SELECT json_agg(json_build_array(hold_id, unit, held, deadline_ms) ORDER BY hold_id)
              FROM holds h WHERE h.account_key = a.account_key) AS holds
           FROM accounts a LEFT JOIN subscriptions s USING (account_key)`,
  });
  return new Map(
    rows.map((row) => [
      row.account_id,
      {
        account: {
          status: row.status,
          lines: row.entries,
          lotsMade: row.lots_made,
          openHolds: row.open_holds,
          debts: row.debts ?? [],
          lots: row.lots ?? [],
          agents: agentsOf(row.subscription),
        },
        promised: { holds: row.holds ?? [], plan: [row.plan, row.starts, row.ends] },
      },
    ]),
  );
}

/** What every wallet was given and lost over its life. */
export async function readTotals(pool: Pool): Promise<unknown[]> {
  const { rows } = await pool.query(
    `SELECT a.account_id, w.unit, w.debt, w.granted, w.spent, w.expired, w.converted
     FROM wallets w JOIN accounts a USING (account_key) ORDER BY a.account_id, w.unit`,
  );
  return rows;
}

/** Lines that end a hold, or would: they say for whom it was. */
const HOLD_ENDS = ['settle', 'release', 'hold_expired'];

/** A line of the ledger in the form of the oracle's; changes of 0 name lots and move nothing. */
export function lineOf({
  kind,
  unit,
  granted,
  spent,
  expired,
  converted,
  debt,
  released,
  lots,
  after,
  flags,
  bookedMs,
  dueMs,
  holdAgent,
}: Entry): string {
  const numbers = [granted, spent, expired, converted, debt, released].map(Number);
  const moved = lots.map(({ lot, delta }) => [lot, Number(delta)]).filter(([, delta]) => delta !== 0);
  const wallet = [after?.remaining ?? 0n, after?.held ?? 0n, after?.debt ?? 0n].map(Number);
  const hold = HOLD_ENDS.includes(kind) ? holdAgent : '';
  const dated = kind === 'hold_expired' ? dueMs : 0;
  return JSON.stringify([
    kind,
    unit ?? '',
    ...numbers,
    moved,
    ...wallet,
    [...flags].sort(),
    bookedMs,
    dated,
    hold,
  ]);
}

/** The ledger of one account, oldest line first. */
export async function readLines(pool: Pool, account: string): Promise<string[]> {
  const { rows } = await pool.query({
    name: 'simulation_lines',
    text: `SELECT e.* FROM accounts a JOIN entries e USING (account_key) WHERE a.account_id = $1 ORDER BY e.account_seq`,
    values: [account],
  });
  return rows.map((row) =>
    JSON.stringify([
      row.kind,
      row.unit,
      ...[row.granted, row.spent, row.expired, row.converted, row.debt, row.released],
      row.lots
        .map(([lot, delta]: [number, string | number]) => [lot, Number(delta)])
        .filter(([, delta]: number[]) => delta !== 0),
      ...[row.remaining_after, row.held_after, row.debt_after],
      row.flags === '' ? [] : row.flags.split(',').sort(),
      row.booked_time.getTime(),
      row.kind === 'hold_expired' ? row.event_time.getTime() : 0,
      HOLD_ENDS.includes(row.kind) ? row.agent : '',
    ]),
  );
}
