import { z } from 'zod';
import { CHECKS, type Finding } from '../ledger/finding.js';
import type { FlushesPlace } from './flush-pass.js';
import type { SavedTally } from './report.js';

/** How far a run is, and what it found: all that another one needs to go on. */
export interface Checkpoint {
  readonly installation: string;
  /** Flushes through one are verified. */
  readonly flushes: 'first' | 'all' | FlushesPlace;
  /** Accounts through one of this key are verified. */
  readonly accounts: 'first' | 'all' | number;
  /** Lines read in the step that it is in. */
  readonly done: number;
  readonly tally: SavedTally | null;
}

export const FIRST_CHECKPOINT: Checkpoint = {
  installation: '',
  flushes: 'first',
  accounts: 'first',
  done: 0,
  tally: null,
};

/** Of the text below. */
const CHECKPOINT_FORMAT = 1;

const integer = z.number().int();
/** As it was stored, which somebody may have changed: of any length. */
const hash = z
  .string()
  .regex(/^(?:[0-9a-f]{2})*$/)
  .transform((hex) => Buffer.from(hex, 'hex'));
const flushesSchema = z.union([
  z.enum(['first', 'all']),
  z.strictObject({
    partition: integer,
    fromSeq: integer,
    toSeq: integer,
    audit: z.strictObject({
      chain: hash,
      epoch: integer,
      seq: integer,
      strays: integer,
      firstStray: integer,
    }),
  }),
]);
const findingSchema = z.strictObject({
  check: z.enum(CHECKS),
  message: z.string(),
  accountKey: integer.optional(),
  account: z.string().optional(),
  accountSeq: integer.optional(),
  partition: integer.optional(),
  epoch: integer.optional(),
  seq: integer.optional(),
}) as z.ZodType<Finding>;
const partSchema = z.strictObject({
  step: z.enum(['flushes', 'accounts', 'redis']),
  through: z.string(),
  asOf: z.iso.datetime(),
});
const tallySchema = z.strictObject({
  accounts: integer,
  lines: integer,
  flushes: integer,
  holds: integer,
  setAsideRecords: integer,
  driftMicros: z
    .string()
    .regex(/^\d+$/)
    .transform((text) => BigInt(text)),
  missing: integer,
  doubled: integer,
  problemsTotal: integer,
  findings: z.array(findingSchema),
  parts: z.array(partSchema),
});
const schema = z.strictObject({
  format: z.literal(CHECKPOINT_FORMAT),
  installation: z.string(),
  flushes: flushesSchema,
  accounts: z.union([z.enum(['first', 'all']), integer]),
  done: integer,
  tally: tallySchema,
});

export function checkpointText({ flushes, tally, ...rest }: Checkpoint): string {
  const place =
    typeof flushes === 'string'
      ? flushes
      : { ...flushes, audit: { ...flushes.audit, chain: flushes.audit.chain.toString('hex') } };
  const saved = tally === null ? null : { ...tally, driftMicros: String(tally.driftMicros) };
  return `${JSON.stringify({ format: CHECKPOINT_FORMAT, ...rest, flushes: place, tally: saved }, null, 2)}\n`;
}

/** Null where the text is none of this version. */
export function checkpointOf(text: string): Checkpoint | null {
  try {
    const { format: _, ...checkpoint } = schema.parse(JSON.parse(text));
    return checkpoint;
  } catch {
    return null;
  }
}
