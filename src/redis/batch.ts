import { FORMAT, OP, type PackedOperation, pack, unpack } from './format.js';
import { accountScope } from './keys.js';

/**
 * A batch as it travels to the script and stays in the journal: the operations are the rows, one array each, and after them the
 * usage events, which are many and travel as columns (lua/includes/formats.lua says why).
 */
export interface Batch {
  readonly accountIds: readonly string[];
  readonly rows: readonly PackedOperation[];
  readonly usage: UsageColumns;
}

/**
 * One column a value, the second (unit, amount) pair with unit 0 where there is none; `more` lists, flat, (number of the event from 1,
 * ids_since at the check or -1, further pairs).
 */
type UsageColumns = readonly [
  accounts: number[],
  /** Of their ids: the letter of usage, the account's scope, the id. */
  fields: string[],
  hashes: number[],
  timesMs: number[],
  units: number[],
  amounts: number[],
  secondUnits: number[],
  secondAmounts: number[],
  more: (number | number[])[],
  /** Place of the event's agent in the list that follows, from 1; 0: none. */
  agents: number[],
  agentIds: string[],
];

/** The agent of a usage event, behind which its pairs (unit, amount) begin. */
const USAGE_AGENT = 6;
const USAGE_PAIRS = 7;

/** Packs operations whose account indexes are set. Rows come first: throws where one follows a usage event. */
export function packBatch(accountIds: readonly string[], operations: readonly PackedOperation[]): Buffer {
  const first = operations.findIndex((operation) => operation[0] === OP.usage);
  const rows = first < 0 ? operations : operations.slice(0, first);
  const usage: UsageColumns = [[], [], [], [], [], [], [], [], [], [], []];
  const places = new Map([['', 0]]);
  const scopes: string[] = [];
  for (let i = rows.length; i < operations.length; i++)
    addUsage(usage, places, scopes, accountIds, operations[i] as PackedOperation);
  return pack([FORMAT, accountIds, rows, usage]);
}

function addUsage(
  [
    accounts,
    fields,
    hashes,
    timesMs,
    units,
    amounts,
    secondUnits,
    secondAmounts,
    more,
    agents,
    agentIds,
  ]: UsageColumns,
  places: Map<string, number>,
  scopes: string[],
  accountIds: readonly string[],
  operation: PackedOperation,
): void {
  if (operation[0] !== OP.usage) throw new Error('a row after a usage event');
  const account = operation[1] as number;
  const number = accounts.push(account);
  let scope = scopes[account];
  if (scope === undefined) {
    scope = usageScope(accountIds[account - 1] as string);
    scopes[account] = scope;
  }
  fields.push(scope + operation[2]);
  hashes.push(operation[3] as number);
  timesMs.push(operation[4] as number);
  units.push(operation[USAGE_PAIRS] as number);
  amounts.push(operation[USAGE_PAIRS + 1] as number);
  const second = operation.length > USAGE_PAIRS + 2;
  secondUnits.push(second ? (operation[USAGE_PAIRS + 2] as number) : 0);
  secondAmounts.push(second ? (operation[USAGE_PAIRS + 3] as number) : 0);
  const agent = operation[USAGE_AGENT] as string;
  let place = places.get(agent);
  if (place === undefined) {
    place = agentIds.push(agent);
    places.set(agent, place);
  }
  agents.push(place);
  if (operation[5] !== -1 || operation.length > USAGE_PAIRS + 4) {
    more.push(number, operation[5] as number, operation.slice(USAGE_PAIRS + 4) as number[]);
  }
}

/** Throws on a format that this version does not know. */
export function unpackBatch(data: Buffer): Batch {
  const [format, accountIds, rows, usage] = unpack<[number, string[], PackedOperation[], UsageColumns]>(data);
  if (format !== FORMAT) throw new Error(`a batch has format ${format}`);
  return { accountIds, rows, usage };
}

export function operationId({ accountIds, rows, usage }: Batch, index: number): string {
  if (index < rows.length) return rows[index]?.[2] as string;
  const event = index - rows.length;
  const account = accountIds[(usage[0][event] as number) - 1] as string;
  return (usage[1][event] as string).slice(usageScope(account).length);
}

/** What stands before the id of a usage event in its field. */
function usageScope(accountId: string): string {
  return `u${accountScope(accountId)}`;
}

export function operationHash({ rows, usage }: Batch, index: number): number {
  return (index < rows.length ? rows[index]?.[3] : usage[2][index - rows.length]) as number;
}

/** The operation's own time: that of its event or call. */
export function operationTimeMs({ rows, usage }: Batch, index: number): number {
  return (index < rows.length ? rows[index]?.[4] : usage[3][index - rows.length]) as number;
}

/** Index of the account of a usage event. */
export function usageAccount({ rows, usage }: Batch, index: number): number {
  return (usage[0][index - rows.length] as number) - 1;
}

/** What a usage event costs in one of its two units. */
export function usageAmount({ rows, usage }: Batch, index: number, unit: number): number {
  const event = index - rows.length;
  return (usage[4][event] === unit ? usage[5][event] : usage[7][event]) as number;
}
