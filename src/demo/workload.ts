import { readFileSync } from 'node:fs';
import { drawTokenCounts, randomSource, type TokenCounts } from './trace-shape.js';

/** What the demo replays: one pass of it; the demo repeats it with new ids. */
export interface Workload {
  /** For people: where it comes from. */
  readonly source: string;
  /** Requests that are reported when they are done, in bursts as they arrived. */
  readonly bursts: readonly (readonly TokenCounts[])[];
  /** Requests of a gateway that asks first. */
  readonly asked: readonly TokenCounts[];
  /** Characters of texts to be spoken. */
  readonly texts: readonly number[];
  /** Every row of a file is replayed at least once, whatever the time; what was made up ends with the time. */
  readonly isWhole: { readonly requests: boolean; readonly texts: boolean };
}

/** A file that cannot be replayed; the message names file and line. */
export class WorkloadError extends Error {
  override readonly name = 'WorkloadError';
}

export interface WorkloadFiles {
  readonly trace: string | undefined;
  readonly sentences: string | undefined;
}

/** One request in so many is served by a gateway that asks first. */
const askedEvery = 5;
/** The requests of one minute of the trace travel together, so that bursts stay bursts at full speed. */
const burstMs = 60_000;

export function readWorkload({ trace, sentences }: WorkloadFiles, seed: number): Workload {
  const random = randomSource(seed);
  const requests = trace === undefined ? makeRequests(random) : readTrace(trace);
  const texts = sentences === undefined ? makeTexts(random) : readSentences(sentences);
  return {
    source: [
      trace === undefined
        ? 'requests made up in the shape of a production trace (no --trace)'
        : `${requests.length} requests of ${trace}`,
      sentences === undefined
        ? 'texts made up in the length of spoken sentences (no --sentences)'
        : `${texts.length} sentences of ${sentences}`,
    ].join(', '),
    bursts: burstsOf(requests.filter((_, row) => !isAsked(row))),
    asked: requests.filter((_, row) => isAsked(row)),
    texts,
    isWhole: { requests: trace !== undefined, texts: sentences !== undefined },
  };
}

function isAsked(row: number): boolean {
  return row % askedEvery === askedEvery - 1;
}

interface TraceRow extends TokenCounts {
  readonly arrivalMs: number;
}

const row = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*,(\d{1,9}),(\d{1,9})$/;

/** `TIMESTAMP,ContextTokens,GeneratedTokens`, as the Azure LLM inference traces have it. */
export function readTrace(file: string): TraceRow[] {
  const [head, ...lines] = readLines(file);
  if (head !== 'TIMESTAMP,ContextTokens,GeneratedTokens') {
    throw new WorkloadError(`${file}: the first line must be TIMESTAMP,ContextTokens,GeneratedTokens`);
  }
  if (lines.length === 0) throw new WorkloadError(`${file}: there is no request in it`);
  return lines.map((line, index) => {
    const [, day, time, input, output] = row.exec(line) ?? [];
    const arrivalMs = Date.parse(`${day}T${time}Z`);
    if (Number.isNaN(arrivalMs)) throw new WorkloadError(`${file}:${index + 2}: not a request: ${line}`);
    return { arrivalMs, inputTokens: Number(input), outputTokens: Number(output) };
  });
}

/** One text a line; what counts are its characters, as code points. */
export function readSentences(file: string): number[] {
  const lines = readLines(file).filter((line) => line !== '');
  if (lines.length === 0) throw new WorkloadError(`${file}: there is no sentence in it`);
  return lines.map((line) => [...line].length);
}

function readLines(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new WorkloadError(`${file} cannot be read: ${(error as Error).message}`);
  }
  return text.replace(/\r?\n$/, '').split(/\r?\n/);
}

function burstsOf(rows: readonly TraceRow[]): TokenCounts[][] {
  const bursts: TokenCounts[][] = [];
  let untilMs = Number.NEGATIVE_INFINITY;
  for (const { arrivalMs, inputTokens, outputTokens } of rows) {
    const burst = bursts.at(-1);
    if (burst === undefined || arrivalMs >= untilMs || burst.length >= burstEventsMax) {
      bursts.push([{ inputTokens, outputTokens }]);
      untilMs = arrivalMs + burstMs;
    } else burst.push({ inputTokens, outputTokens });
  }
  return bursts;
}

/** A batch takes 5,000 events; smaller ones are answered sooner. */
const burstEventsMax = 1_000;

/** As many as the trace has. */
const madeRequests = 19_366;
const madeTexts = 12_500;
/** Requests a minute: about 334, in some minutes many more. */
const meanGapMs = 180;

/** Arrivals with bursts: the gap is short for a while, then long for a while. */
function makeRequests(random: () => number): TraceRow[] {
  let arrivalMs = 0;
  let pace = 1;
  return Array.from({ length: madeRequests }, () => {
    if (random() < 0.01) pace = 0.25 + 3 * random() ** 2;
    arrivalMs += -Math.log(1 - random()) * meanGapMs * pace;
    return { arrivalMs, ...drawTokenCounts(random) };
  });
}

/** 12 to 187 characters, 100 on average, as the LJ Speech sentences have. */
function makeTexts(random: () => number): number[] {
  return Array.from({ length: madeTexts }, () =>
    Math.round(12 + (175 * (random() + random() + random())) / 3),
  );
}
