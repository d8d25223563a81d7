import { BinaryReader } from './binary.js';
import { FORMAT } from './format.js';

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

/** An open hold as Redis keeps it: the layout HOLD of lua/includes/formats.lua, which Postgres stores unchanged. */
export interface Hold {
  readonly unit: number;
  readonly amount: number;
  readonly deadlineMs: number;
  readonly catalogVersion: number;
  readonly hash: number;
  readonly seq: number;
  readonly lastSeq: number;
  /** As first answered. */
  readonly firstHeld: number;
  readonly firstAvailable: number;
  readonly firstDeadlineMs: number;
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

/** Throws on a format that this version does not know, and on a hold that is not whole. */
export function readHold(data: Buffer): Hold {
  const reader = new BinaryReader(data);
  const format = reader.u8();
  if (format !== FORMAT) throw new Error(`a hold of format ${format}`);
  const unit = reader.u8();
  const amount = reader.u56();
  const deadlineMs = reader.u56();
  const catalogVersion = reader.u32();
  const hash = reader.u48();
  const seq = reader.u56();
  const lastSeq = reader.u56();
  const firstHeld = reader.u56();
  const firstAvailable = reader.u56();
  const firstDeadlineMs = reader.u56();
  const startTimeMs = reader.u56();
  const agentId = reader.text();
  const meter = reader.text();
  const model = reader.text();
  const accountKey = reader.u56();
  const partsCount = reader.u32();
  const generation = reader.u32();
  const charge = reader.u56();
  const details = reader.text();
  const blockUnits = reader.u56();
  const blockMicros = reader.u56();
  const priority = reader.u32();
  const parts: number[] = [];
  for (let i = 0; i < partsCount; i++) parts.push(reader.u32(), reader.u56());
  if (!reader.atEnd) throw new Error('more follows a hold than belongs to it');
  return {
    unit,
    amount,
    deadlineMs,
    catalogVersion,
    hash,
    seq,
    lastSeq,
    firstHeld,
    firstAvailable,
    firstDeadlineMs,
    startTimeMs,
    agentId,
    meter,
    model,
    accountKey,
    generation,
    charge,
    details,
    terms: blockUnits === 0 ? null : { blockUnits, blockMicros, priority },
    parts,
  };
}
