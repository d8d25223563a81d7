import { offeredCharge, type ShortOpen } from './batch.js';
import { BinaryReader, BinaryWriter } from './binary.js';
import { FORMAT, type PackedOperation } from './format.js';

/** The terms on which a hold of credits is converted for characters. */
export interface HoldTerms {
  readonly blockUnits: number;
  readonly blockMicros: number;
  readonly priority: number;
}

/** A session that was opened or taken over, as the script answers it. */
export interface OpenedHold {
  readonly seq: number;
  readonly generation: number;
  readonly unit: number;
  readonly held: number;
  /** What of it is there for the charge: characters where credits are held for them, else what is held. */
  readonly covers: number;
  readonly available: number;
  readonly deadlineMs: number;
  readonly catalogVersion: number;
  readonly charge: number;
  /** Empty: opened now. */
  readonly details: string;
}

export function readOpenedHold(reader: BinaryReader): OpenedHold {
  return {
    seq: reader.u56(),
    generation: reader.u32(),
    unit: reader.u8(),
    held: reader.u56(),
    covers: reader.u56(),
    available: reader.u56(),
    deadlineMs: reader.u56(),
    catalogVersion: reader.u32(),
    charge: reader.u56(),
    details: reader.text(),
  };
}

/** One that was opened the short way, as the layout ENTRY_HELD says it: all else follows from the operation. `nowMs`: when it was opened. */
export function readShortOpened(reader: BinaryReader, operation: PackedOperation, nowMs: number): OpenedHold {
  // What stands before these in its entry, and the lot after them, is for the journal.
  reader.bytes(5);
  const unit = reader.u8();
  const held = reader.u56();
  reader.u32();
  return {
    seq: reader.u56(),
    generation: 1,
    unit,
    held,
    covers: held,
    available: reader.u56(),
    deadlineMs: nowMs + (operation[6] as number),
    catalogVersion: operation[7] as number,
    charge: offeredCharge(operation, unit),
    details: '',
  };
}

/** A session that was checkpointed, as the script answers it. */
export interface CheckpointedHold {
  readonly seq: number;
  /** Why it did not grow; 0: it did, or was not to. */
  readonly reason: number;
  /** Others have set something aside in its wallet, which may come back. */
  readonly othersHold: boolean;
  readonly held: number;
  readonly covers: number;
  readonly available: number;
  readonly deadlineMs: number;
}

export function readCheckpointedHold(reader: BinaryReader): CheckpointedHold {
  return {
    seq: reader.u56(),
    reason: reader.u8(),
    othersHold: reader.u8() === 1,
    held: reader.u56(),
    covers: reader.u56(),
    available: reader.u56(),
    deadlineMs: reader.u56(),
  };
}

/** What the reserve of a hold was answered. */
export interface FirstAnswer {
  readonly held: number;
  readonly available: number;
  readonly deadlineMs: number;
}

/** An open hold as Redis keeps it: the layout HOLD of lua/includes/formats.lua, which Postgres stores unchanged. */
export interface Hold {
  readonly unit: number;
  readonly amount: number;
  readonly deadlineMs: number;
  readonly catalogVersion: number;
  readonly hash: number;
  readonly seq: number;
  /** As first answered; null: a session, of which nobody asks. */
  readonly first: FirstAnswer | null;
  readonly startTimeMs: number;
  readonly agentId: string;
  readonly meter: string;
  readonly model: string;
  readonly accountKey: number;
  /** Counts the owners of a session; 0: an ordinary hold. */
  readonly generation: number;
  /** What the last checkpoint of a session charges: characters on terms, else in `unit`. */
  readonly charge: number;
  /** The quantities of that checkpoint as a JSON object; empty for an ordinary hold. */
  readonly details: string;
  readonly terms: HoldTerms | null;
  /** (lot, amount), flat. */
  readonly parts: readonly number[];
}

/** A session of one part as it began with its open in short, as the script packs it. */
export function packBegunHold(
  { holdTimeMs, charge, said }: ShortOpen,
  held: {
    readonly seq: number;
    readonly accountKey: number;
    readonly unit: number;
    readonly amount: number;
    readonly lot: number;
    readonly nowMs: number;
  },
): Buffer {
  const writer = new BinaryWriter(64 + said.length);
  writer.u8(FORMAT);
  writer.u8(held.unit);
  writer.u56(held.amount);
  writer.u56(held.nowMs + holdTimeMs);
  // Its generation, the count of its parts, and no terms.
  writer.u32(1);
  writer.u16(1);
  writer.u8(0);
  writer.u56(held.seq);
  writer.u56(held.accountKey);
  writer.u56(charge);
  writer.bytes(said);
  writer.u32(held.lot);
  writer.u56(held.amount);
  return writer.take();
}

/** Throws on a format that this version does not know, and on a hold that is not whole. */
export function readHold(data: Buffer): Hold {
  const reader = new BinaryReader(data);
  const hold = readNextHold(reader);
  if (!reader.atEnd) throw new Error('more follows a hold than belongs to it');
  return hold;
}

/** The same where more may follow. */
export function readNextHold(reader: BinaryReader): Hold {
  const format = reader.u8();
  if (format !== FORMAT) throw new Error(`a hold of format ${format}`);
  const unit = reader.u8();
  const amount = reader.u56();
  const deadlineMs = reader.u56();
  const generation = reader.u32();
  const partsCount = reader.u16();
  const hasTerms = reader.u8() === 1;
  const seq = reader.u56();
  const accountKey = reader.u56();
  const charge = reader.u56();
  const catalogVersion = reader.u32();
  const hash = reader.u48();
  const startTimeMs = reader.u56();
  const agentId = reader.text();
  const meter = reader.text();
  const model = reader.text();
  const details = reader.text();
  const first = generation > 0 ? null : readFirst(reader);
  const terms = hasTerms ? readTerms(reader) : null;
  const parts: number[] = [];
  for (let i = 0; i < partsCount; i++) parts.push(reader.u32(), reader.u56());
  return {
    unit,
    amount,
    deadlineMs,
    catalogVersion,
    hash,
    seq,
    first,
    startTimeMs,
    agentId,
    meter,
    model,
    accountKey,
    generation,
    charge,
    details,
    terms,
    parts,
  };
}

function readFirst(reader: BinaryReader): FirstAnswer {
  return { held: reader.u56(), available: reader.u56(), deadlineMs: reader.u56() };
}

function readTerms(reader: BinaryReader): HoldTerms {
  return { blockUnits: reader.u56(), blockMicros: reader.u56(), priority: reader.u32() };
}
