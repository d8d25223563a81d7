import type { SidecarClient } from '../cli/client.js';
import type { SettleResponse__Output } from '../gen/drawdown/v1/SettleResponse.js';
import type { LoadContext } from './event-load.js';

/**
 * Callers that ask first: a gateway that sets aside a prompt and the longest answer and settles on the real one, and a
 * TTS service that sets aside the length of a text, rounded up, and settles on its true character count.
 */

/** Requests under way at once, of each kind. */
const callersEach = 16;
/** What a gateway would allow an answer to be. */
const answerTokensMax = 1_000;
/** Of the texts: one in ten fails and is released, one in ten is cut off and settled short. */
const outcomeOfTen = { released: 3, short: 7 } as const;
/** TTS services round up when they set aside. */
const charactersStep = 10;

interface Job {
  readonly holdId: string;
  readonly meter: string;
  readonly model: string;
  readonly estimate: Readonly<Record<string, number>>;
  /** Null: released. */
  readonly final: Readonly<Record<string, number>> | null;
  readonly isShort: boolean;
}

/** Runs until the time is over and, where the workload comes from files, each row was used once. */
export async function runReservations(client: SidecarClient, context: LoadContext): Promise<void> {
  const { asked, texts, isWhole } = context.workload;
  const gateway = { rows: asked, isWhole: isWhole.requests, job: askedJob };
  const speech = { rows: texts, isWhole: isWhole.texts, job: textJob };
  await Promise.all([runKind(client, context, gateway), runKind(client, context, speech)]);
}

interface Kind<Row> {
  readonly rows: readonly Row[];
  readonly isWhole: boolean;
  job(row: Row, number: number, pass: number): Job;
}

async function runKind<Row>(client: SidecarClient, context: LoadContext, kind: Kind<Row>): Promise<void> {
  let next = 0;
  let pass = 0;
  const goesOn = (): boolean => !context.isOver() || (kind.isWhole && pass === 0);
  const caller = async (): Promise<void> => {
    while (kind.rows.length > 0 && goesOn()) {
      context.signal.throwIfAborted();
      const number = next;
      const job = kind.job(kind.rows[number] as Row, number, pass);
      if (++next === kind.rows.length) {
        next = 0;
        pass++;
      }
      await serve(client, context, job);
    }
  };
  await Promise.all(Array.from({ length: callersEach }, caller));
}

function askedJob(
  row: { readonly inputTokens: number; readonly outputTokens: number },
  number: number,
  pass: number,
): Job {
  return {
    holdId: `ask-${pass}-${number}`,
    meter: 'llm',
    model: 'gpt-4o-mini',
    estimate: { input_tokens: row.inputTokens, output_tokens: answerTokensMax },
    final: { input_tokens: row.inputTokens, output_tokens: row.outputTokens },
    isShort: false,
  };
}

function textJob(characters: number, number: number, pass: number): Job {
  const isShort = number % 10 === outcomeOfTen.short;
  const final = { characters: isShort ? Math.floor(characters / 2) : characters };
  return {
    holdId: `tts-${pass}-${number}`,
    meter: 'tts',
    model: 'tts-1',
    estimate: { characters: Math.ceil(characters / charactersStep) * charactersStep },
    final: number % 10 === outcomeOfTen.released ? null : final,
    isShort,
  };
}

async function serve(client: SidecarClient, context: LoadContext, job: Job): Promise<void> {
  const { population, tally, random } = context;
  const accountId = population.accountIds[Math.floor(random() * population.accountIds.length)] as string;
  const work = { holdId: job.holdId, accountId, meter: job.meter, model: job.model };
  const reserved = await client.call('UsageService/Reserve', {
    ...work,
    quantities: { values: job.estimate },
    startTimeMs: String(Date.now()),
  });
  if (reserved.verdict !== 'VERDICT_ALLOWED') {
    tally.reservations.denied++;
    return;
  }
  tally.reservations.made++;
  const eventTimeMs = String(Date.now());
  if (job.final === null) {
    await client.call('UsageService/Release', { holdId: job.holdId, accountId, eventTimeMs });
    tally.reservations.released++;
    return;
  }
  const settled = await client.call('UsageService/Settle', {
    ...work,
    quantities: { values: job.final },
    eventTimeMs,
  });
  tally.reservations.settled++;
  if (job.isShort) tally.settledShort++;
  tally.charged[unitOf(settled)] += Number(settled.charged);
  // One for a hold of credits that was settled in characters, and one for what they bought.
  if (reserved.unit !== settled.unit) tally.conversionLines++;
  if (settled.converted !== '0') tally.conversionLines++;
}

function unitOf({ unit }: SettleResponse__Output): 'credits' | 'tts_characters' | 'llm_messages' {
  if (unit === 'UNIT_CREDITS') return 'credits';
  return unit === 'UNIT_TTS_CHARACTERS' ? 'tts_characters' : 'llm_messages';
}
