import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { CommandFailure } from './io.js';
import { parseCredits, parseTime, parseUnit, parseWhole } from './parse.js';

/** What an account brings from elsewhere, as people write it: one JSON file, in the words and forms of the options. */

/** A field in the form of an option, which says itself what it wants. */
function written<T>(parse: (text: string) => T) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    try {
      return parse(String(value));
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}

const lot = z
  .strictObject({
    source: z.enum(['free', 'plan', 'top_up', 'conversion']),
    credits: written(parseCredits).optional(),
    amount: written(parseWhole).optional(),
    unit: written(parseUnit).optional(),
    expires_at: written(parseTime).optional(),
  })
  .refine(
    ({ credits, amount, unit }) =>
      credits === undefined
        ? amount !== undefined && unit !== undefined
        : amount === undefined && unit === undefined,
    {
      message: 'says how much: credits, or amount with unit',
    },
  )
  .transform(({ source, credits, amount, unit, expires_at }) => ({
    source: `LOT_SOURCE_${source.toUpperCase() as Uppercase<typeof source>}` as const,
    amount: { unit: unit ?? ('UNIT_CREDITS' as const), value: credits ?? amount ?? '0' },
    expiresAtMs: expires_at ?? '0',
  }));

const file = z
  .strictObject({
    lots: z.array(lot).default([]),
    period: z.strictObject({ start: written(parseTime), end: written(parseTime) }).optional(),
  })
  .transform(({ lots, period }) => ({
    lots,
    periodStartTimeMs: period?.start ?? '0',
    periodEndTimeMs: period?.end ?? '0',
  }));

/** Reads it for CreateAccount; fails with every mistake and where it is. */
export function readImportFile(path: string): z.output<typeof file> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CommandFailure(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const read = file.safeParse(content);
  if (read.success) return read.data;
  const mistakes = read.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`,
  );
  throw new CommandFailure(`${path}: ${mistakes.join('; ')}`);
}
