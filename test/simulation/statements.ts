/** Statements of one account beside the oracle's lines: of its whole life, and month by month, which must come to the same. */
import { fold } from '../oracle/ledger.js';
import { type AccountState, type Entry, UNITS, type Unit } from '../oracle/model.js';
import { NAMES } from './calls.js';
import type { Stack } from './stack.js';

/** What a statement says of a wallet: granted, spent, expired, converted. */
type Movements = readonly [bigint, bigint, bigint, bigint];
/** Available, held, debt. */
type Balance = readonly [bigint, bigint, bigint];

interface Told {
  readonly movements: Movements;
  readonly opening: Balance;
  readonly closing: Balance;
}

const NOTHING: Told = { movements: [0n, 0n, 0n, 0n], opening: [0n, 0n, 0n], closing: [0n, 0n, 0n] };

type Same = (where: string, expected: unknown, found: unknown) => void;

export async function compareStatements(
  stack: Stack,
  account: string,
  { state, lines }: { readonly state: AccountState; readonly lines: readonly Entry[] },
  /** When months begin, the first before all lines; none: only the whole life is looked at. */
  months: readonly number[],
  same: Same,
): Promise<void> {
  const life = await read(stack, account, 0, 0);
  const units = UNITS.filter((unit) => lines.some((line) => line.unit === unit));
  same('the wallets of its statement', units, [...life.keys()]);
  for (const unit of units) {
    const { movements, closing } = life.get(unit) ?? NOTHING;
    same(`${unit} of its statement`, [movementsOf(lines, unit), closingOf(state, unit)].map(String), [
      String(movements),
      String(closing),
    ]);
  }
  if (months.length === 0) return;
  let before = new Map<Unit, Told>();
  for (const [i, fromMs] of months.entries()) {
    const toMs = months[i + 1] ?? 0;
    const month = await read(stack, account, fromMs, toMs);
    const booked = lines.filter(({ bookedMs }) => bookedMs >= fromMs && (toMs === 0 || bookedMs < toMs));
    for (const unit of units) {
      const { movements, opening } = month.get(unit) ?? NOTHING;
      const where = `${unit} of its statement of the month from ${new Date(fromMs).toISOString()}`;
      same(where, String(movementsOf(booked, unit)), String(movements));
      same(`the opening of ${where}`, String((before.get(unit) ?? NOTHING).closing), String(opening));
    }
    before = month;
  }
  for (const unit of units) {
    const closing = String((before.get(unit) ?? NOTHING).closing);
    same(`the last closing of ${unit}`, String(closingOf(state, unit)), closing);
  }
}

async function read(
  { core, options }: Stack,
  account: string,
  fromTimeMs: number,
  toTimeMs: number,
): Promise<Map<Unit, Told>> {
  const query = { accountId: account, fromTimeMs, toTimeMs, pageSize: 1, pageToken: '' };
  const { wallets } = await core.statements.read(query, options);
  const balance = ({ available, held, debt }: (typeof wallets)[number]['closing']): Balance => [
    BigInt(available),
    BigInt(held),
    BigInt(debt),
  ];
  return new Map(
    wallets.map(({ unit, granted, spent, expired, converted, opening, closing }) => [
      NAMES[unit] as Unit,
      {
        movements: [granted, spent, expired, converted],
        opening: balance(opening),
        closing: balance(closing),
      },
    ]),
  );
}

function movementsOf(lines: readonly Entry[], unit: Unit): Movements {
  const { granted, spent, expired, converted } = fold(lines)[unit];
  return [granted, spent, expired, converted];
}

/** After a sweep what has expired and is still there is held. What agents have of their own is in it. */
function closingOf(state: AccountState, unit: Unit): Balance {
  const { lots, debt } = state.wallets[unit];
  const held = lots.reduce((sum, lot) => sum + lot.held, 0n);
  return [lots.reduce((sum, lot) => sum + lot.remaining, 0n) - held, held, debt];
}
