/** One MeterUsage stream of a plain grpc-js client: what was sent, what came back. */
import { Client, type ClientDuplexStream, credentials, type ServiceError, status } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import type { MeterUsageRequest } from '../../src/gen/drawdown/v1/MeterUsageRequest.js';
import type { MeterUsageResponse__Output } from '../../src/gen/drawdown/v1/MeterUsageResponse.js';
import type { SessionEnded__Output } from '../../src/gen/drawdown/v1/SessionEnded.js';
import type { SessionOpen } from '../../src/gen/drawdown/v1/SessionOpen.js';
import type { SessionOpened__Output } from '../../src/gen/drawdown/v1/SessionOpened.js';
import type { SessionRefused__Output } from '../../src/gen/drawdown/v1/SessionRefused.js';
import { packageDefinition } from '../../src/grpc/proto.js';
import { until } from './until.js';

const { path, requestSerialize, responseDeserialize } = (
  packageDefinition['drawdown.v1.UsageService'] as Record<string, MethodDefinition<object, object>>
).MeterUsage as MethodDefinition<object, object>;

/** One micro-credit an input token and five an output token. */
const MODEL = { meter: 'llm', model: 'claude-haiku-4-5' };

export class SessionStream {
  readonly opened = new Map<number, SessionOpened__Output>();
  readonly acknowledged = new Map<number, number[]>();
  readonly allowed = new Map<number, number>();
  readonly stops = new Map<number, string>();
  readonly ended = new Map<number, SessionEnded__Output>();
  readonly refused: SessionRefused__Output[] = [];
  readonly resend: number[] = [];
  durableThrough = 0;
  drainedWithinMs: number | null = null;
  /** How it ended; undefined while it is open. */
  status: string | undefined;
  messagesIn = 0;
  onAnswer: (answer: MeterUsageResponse__Output) => void = () => undefined;
  readonly call: ClientDuplexStream<MeterUsageRequest, MeterUsageResponse__Output>;
  readonly #client: Client;
  #sent = 0;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    this.call = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
    ) as ClientDuplexStream<MeterUsageRequest, MeterUsageResponse__Output>;
    this.call.on('data', (answer: MeterUsageResponse__Output) => this.#take(answer));
    this.call.on('error', (error: ServiceError) => {
      this.status = status[error.code] as string;
    });
    this.call.on('end', () => {
      this.status ??= 'OK';
    });
  }

  /** Sends the next message and returns its number. */
  send(message: MeterUsageRequest): number {
    this.#sent += 1;
    this.call.write({ ...message, messageNumber: this.#sent });
    return this.#sent;
  }

  /** Opens a session of the model with so many input tokens known, and waits for its verdict. */
  async open(
    session: number,
    accountId: string,
    more: Partial<SessionOpen> = {},
  ): Promise<SessionOpened__Output> {
    this.opened.delete(session);
    this.send({ opens: [sessionOpen(session, accountId, more)] });
    return this.verdict(session);
  }

  verdict(session: number): Promise<SessionOpened__Output> {
    return this.#until(`a verdict on session ${session}`, () => this.opened.get(session));
  }

  progress(session: number, ...counts: number[]): void {
    this.send({ progress: [{ session, counts }] });
  }

  async acknowledgedThrough(session: number, count: number): Promise<void> {
    await this.#until(
      `session ${session} is acknowledged through ${count}`,
      () => (this.acknowledged.get(session)?.[0] ?? -1) >= count,
    );
  }

  stopped(session: number): Promise<string> {
    return this.#until(`session ${session} is stopped`, () => this.stops.get(session));
  }

  refusal(session: number): Promise<SessionRefused__Output> {
    return this.#until(`session ${session} is refused`, () =>
      this.refused.find((one) => one.session === session),
    );
  }

  /** Settles on input and output tokens, and waits for the outcome. */
  async settle(session: number, input: number, output: number): Promise<SessionEnded__Output> {
    const quantities = { input_tokens: input, output_tokens: output };
    this.send({ settles: [{ session, quantities, eventTimeMs: Date.now() }] });
    return this.outcome(session);
  }

  async release(session: number): Promise<SessionEnded__Output> {
    this.send({ releases: [{ session, eventTimeMs: Date.now() }] });
    return this.outcome(session);
  }

  outcome(session: number): Promise<SessionEnded__Output> {
    return this.#until(`session ${session} ends`, () => this.ended.get(session));
  }

  async durable(messageNumber: number): Promise<void> {
    await this.#until(`message ${messageNumber} is durable`, () => this.durableThrough >= messageNumber);
  }

  /** Half-closes and waits for the status. */
  async end(): Promise<string> {
    this.call.end();
    return this.finished();
  }

  async finished(): Promise<string> {
    const ended = await until('the stream ends', () => this.status);
    this.#client.close();
    return ended;
  }

  /** Breaks the connection as the end of a gateway does. */
  break(): void {
    this.call.cancel();
    this.#client.close();
  }

  #take(answer: MeterUsageResponse__Output): void {
    this.messagesIn++;
    for (const opened of answer.opened) {
      this.opened.set(opened.session, opened);
      this.ended.delete(opened.session);
      this.stops.delete(opened.session);
      this.allowed.set(opened.session, Number(opened.allowedThrough));
      this.acknowledged.set(opened.session, opened.counts.map(Number));
    }
    for (const { session, counts, allowedThrough } of answer.acknowledged) {
      this.acknowledged.set(session, counts.map(Number));
      this.allowed.set(session, Number(allowedThrough));
    }
    for (const stop of answer.stops) this.stops.set(stop.session, stop.reason as string);
    for (const ended of answer.ended) this.ended.set(ended.session, ended);
    this.refused.push(...answer.refused);
    this.resend.push(...answer.resend.map(Number));
    this.durableThrough = Math.max(this.durableThrough, Number(answer.durableThrough));
    if (answer.drain) this.drainedWithinMs = Number(answer.drain.withinMs);
    this.onAnswer(answer);
  }

  #until<T>(what: string, condition: () => T): Promise<Exclude<T, false | null | undefined>> {
    return until(what, () => {
      const value = condition();
      if (!value && this.status !== undefined) throw new Error(`the stream ended with ${this.status}`);
      return value;
    });
  }
}

export function sessionOpen(
  session: number,
  accountId: string,
  more: Partial<SessionOpen> = {},
): SessionOpen {
  return {
    session,
    sessionId: `session-${session}`,
    accountId,
    ...MODEL,
    startTimeMs: startMs,
    known: { input_tokens: 100 },
    counted: ['output_tokens'],
    ...more,
  };
}

/** The same for every open: a resumption repeats its payload. */
const startMs = Date.now();
