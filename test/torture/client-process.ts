/**
 * A client as a process of its own, on the client library; the control plane by plain calls. It writes down what it is about to do and what it learned, and does
 * what it finds undone when it is started again. On standard input: `finish`, after which it begins nothing new and ends when everything has its last word.
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type EventResult,
  Meter,
  MeterError,
  type Session,
  type SettleRequest,
} from '../../src/client/index.js';
import { CallFailure, TestClient } from '../helpers/client.js';
import { SeededRandom } from '../helpers/until.js';
import {
  ClientLog,
  type Done,
  type EventFate,
  type Known,
  type Learned,
  note,
  readLog,
} from './client-log.js';
import {
  type Accounts,
  type Hold,
  holdWork,
  type Operation,
  Operations,
  SESSION_INPUT,
  type SessionOperation,
  sessionWork,
} from './operations.js';

export interface ClientOrders {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly logFile: string;
  readonly seed: number;
  readonly accounts: Accounts;
}

/** Operations under way at once, and the rest of each worker between two. */
const WORKERS = 32;
const REST_MAX_MS = 60;
/** Between two tries of what nobody could judge. */
const AGAIN_MS = 100;
/** Longer than a sidecar waits for Postgres (durableWaitMaxMs). */
const CALL_MAX_MS = 15_000;
/** Longer than any fault: what is sent until then has its answer or none at all. */
const DURABLE_MAX_MS = 60_000;
const ACKNOWLEDGED_EVERY_MS = 20;

class TortureClient {
  readonly #known: Map<number, Known>;
  readonly #log: ClientLog;
  readonly #meter: Meter;
  readonly #plain: readonly TestClient[];
  readonly #operations: Operations;
  readonly #undone: Known[];
  #next: number;
  #isFinishing = false;
  #calls = 0;

  constructor(orders: ClientOrders) {
    this.#known = readLog(orders.logFile);
    this.#log = new ClientLog(orders.logFile);
    this.#next = Math.max(0, ...this.#known.keys()) + 1;
    this.#undone = [...this.#known.values()].filter(({ done }) => done === null);
    this.#meter = new Meter({ addresses: orders.addresses, callTimeoutMs: CALL_MAX_MS });
    this.#plain = orders.addresses.map((address) => new TestClient(address));
    // Another life of the same client does other things.
    const random = new SeededRandom(orders.seed + this.#next);
    this.#operations = new Operations(random, orders.accounts, orders.name);
    for (const { operation, done } of this.#known.values()) {
      if (done !== null && 'fates' in done) this.#operations.remember(operation);
    }
  }

  finish(): void {
    this.#isFinishing = true;
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: WORKERS }, () => this.#work()));
    await this.#meter.close();
    for (const client of this.#plain) client.close();
    this.#log.close();
  }

  async #work(): Promise<void> {
    const random = new SeededRandom(this.#next);
    for (;;) {
      const again = this.#undone.shift();
      if (again === undefined && this.#isFinishing) return;
      const one = again ?? (await this.#begin());
      const done = await this.#play(one);
      await this.#learn({ n: one.n, done });
      if ('fates' in done) this.#operations.remember(one.operation);
      if (!this.#isFinishing) await pause(random.between(0, REST_MAX_MS));
    }
  }

  async #begin(): Promise<Known> {
    const n = this.#next++;
    const line = { n, sent: this.#operations.next(n) };
    note(this.#known, line);
    await this.#log.write(line);
    return this.#known.get(n) as Known;
  }

  async #learn(line: Learned): Promise<void> {
    note(this.#known, line);
    await this.#log.write(line);
    // What has its last word need not stay in memory; its number stays taken.
    if ('done' in line) this.#known.delete(line.n);
  }

  #play(one: Known): Promise<Done> {
    switch (one.operation.op) {
      case 'record':
        return this.#record(one, one.operation);
      case 'hold':
        return this.#hold(one, one.operation);
      case 'session':
        return this.#session(one, one.operation);
      case 'call':
        return this.#control(one.operation);
    }
  }

  async #record(one: Known, operation: Extract<Operation, { op: 'record' }>): Promise<Done> {
    const { events, by, isRepeated } = operation;
    if (isRepeated && one.applied === null) {
      const results = await this.#meter.record(events, { until: 'applied' });
      await this.#learn({ n: one.n, applied: results.map(fateOf) });
    }
    if (by === 'stream')
      return { fates: (await this.#meter.record(events, { until: 'durable' })).map(fateOf) };
    const { results } = await this.#judged(() =>
      this.#any().call('UsageService/RecordUsageBatch', {
        events: [...events],
        ackLevel: 'ACK_LEVEL_DURABLE',
      }),
    );
    const fates = results.map(
      ({ outcome, charged, reason }): EventFate => ({
        outcome: outcome.replace('EVENT_OUTCOME_', '').toLowerCase() as EventFate['outcome'],
        charged: Number(charged),
        reason: reason.replace('REASON_', ''),
      }),
    );
    // Refused for now: the call was judged, some of its events were not.
    if (fates.some(({ reason }) => reason === 'UNAVAILABLE' || reason === 'LIMIT_REACHED')) {
      await pause(AGAIN_MS);
      return this.#record(one, operation);
    }
    return { fates };
  }

  async #hold(one: Known, operation: Hold): Promise<Done> {
    const { accountId, holdId, held, extendBy, holdTimeMs, startTimeMs, end, final } = operation;
    const hold = { accountId, holdId };
    if (one.ending === null) {
      const verdict = await this.#judged(async () => {
        const request = { ...hold, ...holdWork, amount: credits(held), startTimeMs, holdTimeMs };
        const answer = await this.#meter.reserve(request);
        if (!answer.judged) throw new MeterError('UNAVAILABLE', 'not judged', { retryable: true });
        return answer;
      });
      const isTaken = verdict.allowed || verdict.reason === 'HOLD_ENDED';
      if (!isTaken) return { denied: String(verdict.reason) };
      await this.#learn({ n: one.n, allowed: true });
      if (extendBy > 0) await this.#extend(hold, extendBy);
      if (end === 'leave') return { left: true };
      await this.#learn({ n: one.n, ending: final, eventTimeMs: Date.now() });
    }
    const { eventTimeMs } = one.ending as NonNullable<Known['ending']>;
    if (end === 'settle') return this.#settle({ ...hold, ...holdWork, amount: credits(final), eventTimeMs });
    return this.#release({ ...hold, eventTimeMs });
  }

  /** What becomes of it changes nothing in the end: it may be denied, and the hold may be gone. */
  async #extend(hold: { accountId: string; holdId: string }, addAmount: number): Promise<void> {
    const request = {
      ...hold,
      extendId: `${hold.holdId}-x`,
      addAmount: BigInt(addAmount),
      eventTimeMs: Date.now(),
    };
    await this.#meter.extend(request).catch((error: unknown) => {
      if (!(error instanceof MeterError)) throw error;
    });
  }

  async #session(one: Known, operation: SessionOperation): Promise<Done> {
    const { accountId, sessionId, end, rest } = operation;
    if (one.ending === null) {
      const session = await this.#open(operation);
      if (!session.allowed && session.reason !== 'HOLD_ENDED') return { denied: String(session.reason) };
      await this.#learn({ n: one.n, allowed: true });
      if (session.allowed) await this.#report(one, operation, session);
      if (end === 'leave') return { left: true };
      const count = one.reported + rest;
      await this.#learn({ n: one.n, ending: count, eventTimeMs: Date.now() });
      if (session.allowed) await this.#endSession(session, one, end);
    }
    // Once more by its id: a repetition tells when it is durable.
    const { count, eventTimeMs } = one.ending as NonNullable<Known['ending']>;
    const hold = { accountId, holdId: sessionId, eventTimeMs };
    if (end === 'release') return this.#release(hold);
    return this.#settle({ ...hold, ...sessionWork, quantities: quantitiesOf(count) });
  }

  #open({ accountId, sessionId, startTimeMs }: SessionOperation): Promise<Session> {
    return this.#judged(async () => {
      const session = await this.#meter.open({
        ...sessionWork,
        accountId,
        sessionId,
        startTimeMs,
        known: { input_tokens: SESSION_INPUT },
        counted: ['output_tokens'],
      });
      if (!session.judged) throw new MeterError('UNAVAILABLE', 'not judged', { retryable: true });
      return session;
    });
  }

  async #report(one: Known, { reports }: SessionOperation, session: Session): Promise<void> {
    let said = -1;
    const listen = setInterval(() => {
      const acknowledged = Number(session.acknowledged.output_tokens ?? 0);
      if (acknowledged <= said) return;
      said = acknowledged;
      void this.#learn({ n: one.n, acknowledged });
    }, ACKNOWLEDGED_EVERY_MS);
    let count = Math.max(one.reported, Number(session.counts.output_tokens ?? 0));
    for (const { more, waitMs } of reports) {
      await pause(waitMs);
      count += more;
      await this.#learn({ n: one.n, reports: count });
      session.report({ output_tokens: count });
    }
    clearInterval(listen);
  }

  /** Whatever this comes to, the call by its id that follows is the last word. */
  async #endSession(session: Session, one: Known, end: 'settle' | 'release'): Promise<void> {
    const { count, eventTimeMs } = one.ending as NonNullable<Known['ending']>;
    const limits = { eventTimeMs, timeoutMs: CALL_MAX_MS };
    const ended = end === 'settle' ? session.settle(quantitiesOf(count), limits) : session.release(limits);
    await ended.catch((error: unknown) => {
      if (!(error instanceof MeterError)) throw error;
    });
  }

  async #settle(request: SettleRequest): Promise<Done> {
    try {
      return await this.#judged(async () => {
        const result = await this.#meter.settle(request, { until: 'durable' });
        // The meter keeps it; asking again tells what became of it.
        if (result.outcome === 'kept') throw new MeterError('UNAVAILABLE', 'kept', { retryable: true });
        return { charged: Number(result.charged), late: result.late };
      });
    } catch (error) {
      return refusalOf(error);
    }
  }

  async #release(request: { accountId: string; holdId: string; eventTimeMs: number }): Promise<Done> {
    try {
      const { released } = await this.#judged(() => this.#meter.release(request, { until: 'durable' }));
      return { released: Number(released) };
    } catch (error) {
      return refusalOf(error);
    }
  }

  async #control({ name, request }: Extract<Operation, { op: 'call' }>): Promise<Done> {
    try {
      const answer = await this.#judged(() => this.#any().call(name, request));
      return { answer: answer as unknown as Readonly<Record<string, unknown>> };
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** The sidecars in turn. */
  #any(): TestClient {
    return this.#plain[this.#calls++ % this.#plain.length] as TestClient;
  }

  /** Unchanged, until somebody judges it. */
  async #judged<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const endsAtMs = performance.now() + DURABLE_MAX_MS;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!mayHelp(error) || performance.now() > endsAtMs) throw error;
        await pause(AGAIN_MS);
      }
    }
  }
}

/** Judged, and refused for good: the same call is refused again. */
const REFUSED: ReadonlySet<string> = new Set([
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
]);

function mayHelp(error: unknown): boolean {
  if (error instanceof MeterError) return !REFUSED.has(error.code);
  if (error instanceof CallFailure) return !REFUSED.has(error.status);
  return false;
}

function refusalOf(error: unknown): Done {
  if (error instanceof MeterError || error instanceof CallFailure) {
    return { refused: String(error.reason ?? error.message) };
  }
  throw error;
}

function fateOf(result: EventResult): EventFate {
  if (result.outcome === 'refused') return { outcome: 'refused', reason: result.reason };
  return { outcome: result.outcome, charged: Number(result.charged) };
}

const credits = (value: number): { unit: 'credits'; value: bigint } => ({
  unit: 'credits',
  value: BigInt(value),
});

const quantitiesOf = (output: number): { input_tokens: number; output_tokens: number } => ({
  input_tokens: SESSION_INPUT,
  output_tokens: output,
});

const client = new TortureClient(JSON.parse(process.argv[2] as string) as ClientOrders);
const orders = createInterface({ input: process.stdin });
orders.on('line', () => client.finish());
// Whoever started it is gone.
orders.on('close', () => process.exit(1));
await client.run();
process.exit(0);
