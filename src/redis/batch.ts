import { BinaryReader, BinaryWriter } from './binary.js';
import { FORMAT, OP, type PackedOperation, pack, unpack } from './format.js';
import { accountScope, holdField } from './keys.js';

/**
 * A batch as it travels to the script and stays in the journal: the operations are the rows, one array each, and after them the
 * usage events, which are many and travel as columns. So do most sessions that are opened and settled, which are many, too: among the rows stands
 * only their kind (lua/includes/formats.lua says why and how).
 */
export interface Batch {
  readonly accountIds: readonly string[];
  readonly rows: readonly (PackedOperation | number)[];
  readonly shorts: ShortColumns;
  /** What is packed of the operations in short. */
  readonly packedShorts: Buffer;
  readonly usage: UsageColumns;
  /** By row, of operations in short: the place in the columns, and where what is packed of it begins. */
  readonly shortPlaces: readonly number[];
  readonly shortStarts: readonly number[];
}

/** `batch` is msgpack; the second is packed apart from it, because cmsgpack knows no bytes. */
export interface PackedBatch {
  readonly batch: Buffer;
  readonly shorts: Buffer;
}

/** Of operations in short: the account, and the field of the hold, which no other of them has. */
type ShortColumns = readonly [accounts: number[], fields: string[]];

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

/** Where a row has what was checked in Postgres; -1: nothing. */
const CHECKED = 5;
/** Where an open has the newest generation that its caller can own; 0: none. */
const OWNED = 12;
/** The offers of an open (unit, charge, least, wanted, terms) begin here, the pairs (unit, amount) of a settle there. */
const OPEN_OFFERS = 13;
const OFFER_LENGTH = 5;
const SETTLE_PAIRS = 9;

/** Packs operations whose account indexes are set. Rows come first: throws where one follows a usage event. */
export function packBatch(
  accountIds: readonly string[],
  operations: readonly PackedOperation[],
): PackedBatch {
  const first = operations.findIndex((operation) => operation[0] === OP.usage);
  const rowsCount = first < 0 ? operations.length : first;
  const rows = new Array<PackedOperation | number>(rowsCount);
  const shorts: ShortColumns = [[], []];
  const named = new Set<string>();
  const writer = new BinaryWriter(128);
  for (let i = 0; i < rowsCount; i++) {
    const operation = operations[i] as PackedOperation;
    const isOpen = isShortOpen(operation);
    if (!isOpen && !isShortSettle(operation)) {
      rows[i] = operation;
      continue;
    }
    const field = holdField(accountIds[(operation[1] as number) - 1] as string, operation[2] as string);
    // The short way looks for no name in what it did before: what comes again in a batch goes the long one.
    if (named.size === named.add(field).size) {
      rows[i] = operation;
      continue;
    }
    rows[i] = operation[0] as number;
    shorts[0].push(operation[1] as number);
    shorts[1].push(field);
    if (isOpen) writeOpen(writer, operation);
    else writeSettle(writer, operation);
  }
  const usage = noUsage();
  const places = new Map([['', 0]]);
  const scopes: string[] = [];
  for (let i = rowsCount; i < operations.length; i++)
    addUsage(usage, places, scopes, accountIds, operations[i] as PackedOperation);
  const columns = [shorts[0].length > 0 && shorts, usage[0].length > 0 && usage];
  return { batch: pack([FORMAT, accountIds, rows, ...columns]), shorts: writer.take() };
}

/** A new session that one or two wallets can pay, none of them with credits that are converted. */
function isShortOpen(operation: PackedOperation): boolean {
  if (operation[0] !== OP.openSession || operation[CHECKED] !== -1 || operation[OWNED] !== 0) return false;
  const offers = (operation.length - OPEN_OFFERS) / OFFER_LENGTH;
  if (offers !== 1 && offers !== 2) return false;
  for (let i = OPEN_OFFERS; i < operation.length; i += OFFER_LENGTH)
    if ((operation[i] as number) < 0) return false;
  return true;
}

/** One or two wallets can pay, none of them with credits that are converted, and what they pay is known. */
function isShortSettle(operation: PackedOperation): boolean {
  if (operation[0] !== OP.settle || operation[CHECKED] !== -1) return false;
  const pairs = (operation.length - SETTLE_PAIRS) / 2;
  if (pairs !== 1 && pairs !== 2) return false;
  for (let i = SETTLE_PAIRS; i < operation.length; i++) if ((operation[i] as number) < 0) return false;
  return true;
}

/** What an open in short charges in one of its two units for what is known. */
export function offeredCharge(operation: PackedOperation, unit: number): number {
  const offer = operation[OPEN_OFFERS] === unit ? OPEN_OFFERS : OPEN_OFFERS + OFFER_LENGTH;
  return operation[offer + 1] as number;
}

/** The layout SHORT_OPEN of lua/includes/formats.lua. */
function writeOpen(writer: BinaryWriter, operation: PackedOperation): void {
  const [, , , hash, timeMs, , holdTimeMs, version, agent, meter, model, details] = operation as [
    ...[number, number, string, number, number, number, number, number],
    ...[string, string, string, string],
  ];
  writer.u56(timeMs);
  writer.u56(holdTimeMs);
  for (let i = OPEN_OFFERS; i < OPEN_OFFERS + 2 * OFFER_LENGTH; i += OFFER_LENGTH) {
    const hasOffer = i < operation.length;
    writer.u8(hasOffer ? (operation[i] as number) : 0);
    for (let j = i + 1; j <= i + 3; j++) writer.u56(hasOffer ? (operation[j] as number) : 0);
  }
  const said = writer.beginCounted();
  writer.u32(version);
  writer.u48(hash);
  writer.u56(timeMs);
  writer.utf8(`${agent}\0${meter}\0${model}\0${details}\0`);
  writer.endCounted(said);
}

/** The layout SHORT_SETTLE of lua/includes/formats.lua. */
function writeSettle(writer: BinaryWriter, operation: PackedOperation): void {
  const [, , , hash, timeMs, , version, agent, generation] = operation as [
    ...[number, number, string, number, number, number, number, string, number],
  ];
  writer.u48(hash);
  writer.u56(timeMs);
  writer.u32(version);
  writer.u32(generation);
  for (let i = SETTLE_PAIRS; i < SETTLE_PAIRS + 4; i += 2) {
    const hasPair = i < operation.length;
    writer.u8(hasPair ? (operation[i] as number) : 0);
    writer.u56(hasPair ? (operation[i + 1] as number) : 0);
  }
  writer.text(agent);
}

/** Bytes of SHORT_OPEN before what its hold keeps, which is counted, and of SHORT_SETTLE before its agent. */
const SHORT_OPEN_NUMBERS_BYTES = 58;
const SHORT_SETTLE_NUMBERS_BYTES = 37;

function findShorts(rows: Batch['rows'], packed: Buffer): Pick<Batch, 'shortPlaces' | 'shortStarts'> {
  const shortPlaces: number[] = [];
  const shortStarts: number[] = [];
  let place = 0;
  let start = 0;
  for (let i = 0; i < rows.length; i++) {
    if (typeof rows[i] !== 'number') continue;
    shortPlaces[i] = place++;
    shortStarts[i] = start;
    if (rows[i] === OP.openSession) {
      const said = start + SHORT_OPEN_NUMBERS_BYTES;
      start = said + 2 + packed.readUInt16LE(said);
    } else {
      start = packed.indexOf(0, start + SHORT_SETTLE_NUMBERS_BYTES) + 1;
    }
  }
  if (start !== packed.length) throw new Error('operations in short are not what a batch says');
  return { shortPlaces, shortStarts };
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
  if (operation[CHECKED] !== -1 || operation.length > USAGE_PAIRS + 4) {
    more.push(number, operation[CHECKED] as number, operation.slice(USAGE_PAIRS + 4) as number[]);
  }
}

/** Throws on a format that this version does not know. */
export function unpackBatch({ batch, shorts: packedShorts }: PackedBatch): Batch {
  const [format, accountIds, rows, shorts, usage] =
    unpack<[number, string[], Batch['rows'], ShortColumns | false, UsageColumns | false]>(batch);
  if (format !== FORMAT) throw new Error(`a batch has format ${format}`);
  return {
    accountIds,
    rows,
    shorts: shorts || [[], []],
    packedShorts,
    usage: usage || noUsage(),
    ...findShorts(rows, packedShorts),
  };
}

function noUsage(): UsageColumns {
  return [[], [], [], [], [], [], [], [], [], [], []];
}

/** The field of the hold of an operation in short. */
export function shortField({ shorts, shortPlaces }: Batch, index: number): string {
  return shorts[1][shortPlaces[index] as number] as string;
}

/** What an open in short says, whose hold is in one of its two units. */
export interface ShortOpen {
  readonly holdTimeMs: number;
  readonly charge: number;
  /** What its hold keeps as it is: catalog version, payload hash, start time, agent, meter, model, details. */
  readonly said: Buffer;
}

export function readShortOpen({ packedShorts, shortStarts }: Batch, index: number, unit: number): ShortOpen {
  const reader = new BinaryReader(packedShorts, shortStarts[index] as number);
  // The start time, which `said` has, too.
  reader.u56();
  const holdTimeMs = reader.u56();
  let charge = 0;
  for (let offer = 0; offer < 2; offer++) {
    const offered = reader.u8();
    const known = reader.u56();
    if (offered === unit) charge = known;
    // What it takes at least and at best.
    reader.u56();
    reader.u56();
  }
  return { holdTimeMs, charge, said: reader.bytes(reader.u16()) };
}

export function operationId(batch: Batch, index: number): string {
  const { accountIds, rows, shorts, usage, shortPlaces } = batch;
  if (index < rows.length) {
    const row = rows[index] as PackedOperation | number;
    if (typeof row !== 'number') return row[2] as string;
    const account = accountIds[(shorts[0][shortPlaces[index] as number] as number) - 1] as string;
    return shortField(batch, index).slice(holdField(account, '').length);
  }
  const event = index - rows.length;
  const account = accountIds[(usage[0][event] as number) - 1] as string;
  return (usage[1][event] as string).slice(usageScope(account).length);
}

/** What stands before the id of a usage event in its field. */
function usageScope(accountId: string): string {
  return `u${accountScope(accountId)}`;
}

/** An open in short has no line in the ledger: nobody asks for its hash and time. */
export function operationHash({ rows, usage, packedShorts, shortStarts }: Batch, index: number): number {
  if (index >= rows.length) return usage[2][index - rows.length] as number;
  const row = rows[index] as PackedOperation | number;
  return typeof row === 'number'
    ? packedShorts.readUIntLE(shortStarts[index] as number, 6)
    : (row[3] as number);
}

/** The operation's own time: that of its event or call. */
export function operationTimeMs({ rows, usage, packedShorts, shortStarts }: Batch, index: number): number {
  if (index >= rows.length) return usage[3][index - rows.length] as number;
  const row = rows[index] as PackedOperation | number;
  if (typeof row !== 'number') return row[4] as number;
  return new BinaryReader(packedShorts, (shortStarts[index] as number) + 6).u56();
}

export function operationKind({ rows }: Batch, index: number): number {
  if (index >= rows.length) return OP.usage;
  const row = rows[index] as PackedOperation | number;
  return typeof row === 'number' ? row : (row[0] as number);
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
