/** A client that keeps what is not durable, as the README asks callers to: it sends until everything is, whatever breaks. */
import type { UsageEvent } from '../../src/gen/drawdown/v1/UsageEvent.js';
import { type TestClient, type TestStream, usageEvent } from './client.js';
import { SeededRandom, until } from './until.js';

export interface Workload {
  readonly accounts: readonly string[];
  readonly granted: number;
  /** Batches of events, in the order in which they are sent. */
  readonly batches: readonly (readonly UsageEvent[])[];
  /** What every account must have in the end. */
  readonly expected: ReadonlyMap<string, number>;
}

/** Events over some accounts; a tenth repeat an earlier event unchanged. */
export function makeWorkload(
  seed: number,
  size: { accounts: number; batches: number; eventsPerBatch: number },
): Workload {
  const random = new SeededRandom(seed);
  const granted = 1_000_000_000;
  const accounts = Array.from({ length: size.accounts }, (_, i) => `account-${seed}-${i}`);
  const expected = new Map(accounts.map((account) => [account, granted]));
  const sent: UsageEvent[] = [];
  const now = Date.now();
  const batches = Array.from({ length: size.batches }, (_, batch) =>
    Array.from({ length: size.eventsPerBatch }, (_, i) => {
      if (sent.length > 0 && random.next() < 0.1) return random.pick(sent);
      const account = random.pick(accounts);
      const micros = random.between(1, 1_000);
      expected.set(account, (expected.get(account) as number) - micros);
      const event = usageEvent(account, `event-${batch}-${i}`, micros, {
        eventTimeMs: now - random.between(0, 60_000),
      });
      sent.push(event);
      return event;
    }),
  );
  return { accounts, granted, batches, expected };
}

export async function createAccounts(client: TestClient, workload: Workload): Promise<void> {
  await Promise.all(workload.accounts.map((account) => client.account(account, workload.granted)));
}

const unacknowledgedMax = 20;

/**
 * Sends all batches until each is durable and every event of it was accepted. A broken stream is opened again on `client()`, and
 * what was not durable is sent again. `onProgress` hears how many batches are durable.
 */
export async function sendUntilDurable(
  client: () => TestClient | Promise<TestClient>,
  batches: Workload['batches'],
  onProgress: (durable: number) => void = () => undefined,
): Promise<{ streams: number }> {
  const left = batches.map((events) => [...events]);
  let streams = 0;
  let done = 0;
  await until(
    'every batch is durable',
    async () => {
      if (left.length === 0) return true;
      streams += 1;
      const stream = (await client()).stream();
      const sent: UsageEvent[][] = [];
      try {
        done += await runStream(stream, left, sent, (durable) => onProgress(done + durable));
      } finally {
        stream.call.cancel();
      }
      return left.length === 0;
    },
    120_000,
  );
  return { streams };
}

/** Sends from `left`; takes out what became durable; returns how many that were. */
async function runStream(
  stream: TestStream,
  left: UsageEvent[][],
  sent: UsageEvent[][],
  onProgress: (durable: number) => void,
): Promise<number> {
  let durable = 0;
  await until(
    'the stream ends or has nothing left',
    () => {
      while (sent.length < left.length && sent.length - stream.durableThrough < unacknowledgedMax) {
        if (stream.ended !== undefined) break;
        const batch = left[sent.length] as UsageEvent[];
        stream.send(batch);
        sent.push(batch);
      }
      durable = stream.durableThrough;
      onProgress(durable);
      return stream.ended !== undefined || durable === left.length;
    },
    60_000,
  );
  const again: UsageEvent[][] = [];
  for (let i = 0; i < durable; i++) {
    const results = stream.applied.get(i + 1) ?? [];
    const batch = sent[i] as UsageEvent[];
    // Events that could not be judged are not covered by the watermark: they are sent again, unchanged.
    const refused = batch.filter((_, place) => results[place]?.outcome === 'EVENT_OUTCOME_REFUSED');
    for (const [place, result] of results.entries()) {
      if (result.outcome !== 'EVENT_OUTCOME_REFUSED') continue;
      if (result.reason === 'REASON_UNAVAILABLE' || result.reason === 'REASON_LIMIT_REACHED') continue;
      throw new Error(`${batch[place]?.eventId} was refused: ${result.reason} ${result.message}`);
    }
    if (refused.length > 0) again.push(refused);
  }
  left.splice(0, durable);
  left.push(...again);
  return durable - again.length;
}
