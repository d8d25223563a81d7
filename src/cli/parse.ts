import { InvalidArgumentError } from 'commander';

/** Checked conversion of what people type; every function says what it wants. */

const safeMax = BigInt(Number.MAX_SAFE_INTEGER);

function bounded(value: bigint): string {
  if (value > safeMax) throw new InvalidArgumentError(`At most ${safeMax}.`);
  return value.toString();
}

/** A whole number from 0 to 2^53-1, as the decimal string that the protocol takes. */
export function parseWhole(text: string): string {
  if (!/^\d{1,20}$/.test(text))
    throw new InvalidArgumentError('A whole number from 0 on is needed, such as 1000.');
  return bounded(BigInt(text));
}

/** Decimal credits to micro-credits, exactly: 5 -> 5000000, 0.000001 -> 1. */
export function parseCredits(text: string): string {
  const match = /^(\d{1,20})(?:\.(\d{1,6}))?$/.exec(text);
  if (match === null) {
    throw new InvalidArgumentError('Credits with at most 6 decimals are needed, such as 5 or 0.25.');
  }
  return bounded(BigInt(match[1] ?? '0') * 1_000_000n + BigInt((match[2] ?? '').padEnd(6, '0')));
}

export const unitNames = ['credits', 'tts_characters', 'llm_messages'] as const;

/** credits -> UNIT_CREDITS. Amounts of credits are in micro-credits then; --credits takes decimals. */
export function parseUnit(text: string): `UNIT_${'CREDITS' | 'TTS_CHARACTERS' | 'LLM_MESSAGES'}` {
  const name = unitNames.find((unit) => unit === text);
  if (name === undefined) throw new InvalidArgumentError(`One of ${unitNames.join(', ')} is needed.`);
  return `UNIT_${name.toUpperCase() as Uppercase<typeof name>}`;
}

/** Milliseconds since 1970, or a date and time as ISO 8601. */
export function parseTime(text: string): string {
  if (/^\d+$/.test(text)) return parseWhole(text);
  const milliseconds = /^\d{4}-\d\d-\d\d(T.*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!(milliseconds >= 0)) {
    throw new InvalidArgumentError(
      'Milliseconds since 1970 or a time such as 2025-01-31T12:00:00Z are needed.',
    );
  }
  return String(milliseconds);
}

const unitMilliseconds = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** 90s, 10m, 2h, 1d, or milliseconds. */
export function parseDuration(text: string): string {
  const match = /^(\d{1,15})(ms|s|m|h|d)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('A duration such as 90s, 10m or 2h is needed.');
  const factor = unitMilliseconds[(match[2] ?? 'ms') as keyof typeof unitMilliseconds];
  return bounded(BigInt(match[1] ?? '0') * BigInt(factor));
}

/** Collects repeated name=count options. */
export function collectQuantity(
  text: string,
  collected: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const match = /^([a-z][a-z0-9_]*)=(.+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('name=count is needed, such as input_tokens=1000.');
  const [, name = '', count = ''] = match;
  if (Object.hasOwn(collected, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...collected, [name]: parseWhole(count) };
}

export function parseAck(text: string): 'ACK_LEVEL_APPLIED' | 'ACK_LEVEL_DURABLE' {
  if (text === 'applied') return 'ACK_LEVEL_APPLIED';
  if (text === 'durable') return 'ACK_LEVEL_DURABLE';
  throw new InvalidArgumentError('applied or durable is needed.');
}
