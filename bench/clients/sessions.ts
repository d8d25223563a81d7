import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import { Meter, type Session } from '../../src/client/index.js';
import { drawTokenCounts, randomSource } from '../../src/demo/trace-shape.js';
import { echoPath, identity } from '../variants/echo.js';
import { type ClientConfig, fail, type LoadClient, Recorder, serveRequests } from './protocol.js';

/** What gateways do with sessions, through the shipped client. Which of it, the first parameter says: progress, pairs or light. */

/** Pairs that a ramp has under way at once: a quarter of a second of what two cores can do. */
const rampPairsMax = 4_000;
/** How often what is due is sent. */
const turnMs = 5;
/** Tokens between two updates of a session: 20 updates a second are then the speed of a fast model. */
const tokensPerUpdate = 5;

class Opener {
  readonly meter: Meter;
  readonly #random: () => number;
  readonly #idPrefix = `ses_${Date.now().toString(36).padStart(9, '0')}-`;
  /** The first number of ten digits. */
  #made = 1_000_000_000;

  constructor(private readonly config: ClientConfig) {
    this.#random = randomSource(config.seed);
    this.meter = new Meter({ addresses: [config.address], connections: config.streams });
  }

  open(): Promise<Session> {
    const { accountIds } = this.config;
    return this.meter.open({
      sessionId: `${this.#idPrefix}${this.#made++}`,
      accountId: accountIds[Math.floor(this.#random() * accountIds.length)] as string,
      meter: 'llm',
      model: 'gpt-4o-mini',
      known: { input_tokens: drawTokenCounts(this.#random).inputTokens },
      counted: ['output_tokens'],
    });
  }
}

function allowed(session: Session): Session {
  if (!session.allowed) throw new Error(`A session was denied: ${session.reason}`);
  return session;
}

/** Updates of sessions that stay open, in turn, at a rate that does not depend on the answers. */
class Progress implements LoadClient {
  readonly recorder = new Recorder();
  readonly #opener: Opener;
  readonly #sessions: Session[] = [];
  readonly #counts: number[] = [];
  #next = 0;
  #ratePerSecond = 0;
  #sinceMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly config: ClientConfig) {
    this.#opener = new Opener(config);
  }

  async start(): Promise<void> {
    const openOne = async (): Promise<void> => {
      while (this.#sessions.length + this.#counts.length < this.config.sessions) {
        this.#counts.push(0);
        const session = allowed(await this.#opener.open());
        this.#counts.pop();
        this.#sessions.push(session);
      }
    };
    await Promise.all(Array.from({ length: this.config.callsInFlight }, openOne));
    this.#counts.push(...this.#sessions.map(() => 0));
  }

  load(ratePerSecond: number | null): void {
    this.#ratePerSecond = ratePerSecond ?? Number.POSITIVE_INFINITY;
    this.#sinceMs = performance.now();
    this.#timer ??= setInterval(() => this.#turn(), turnMs);
  }

  #turn(): void {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - this.#sinceMs) * this.#ratePerSecond) / 1_000);
    if (due === 0) return;
    this.#sinceMs = Number.isFinite(due) ? this.#sinceMs + (due * 1_000) / this.#ratePerSecond : nowMs;
    const updates = Math.min(due, this.#sessions.length);
    for (let i = 0; i < updates; i++) {
      const at = this.#next++ % this.#sessions.length;
      const session = this.#sessions[at] as Session;
      const count = (this.#counts[at] as number) + tokensPerUpdate;
      this.#counts[at] = count;
      session.report({ output_tokens: count });
    }
    this.recorder.reported(updates);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#sessions.map((session) => session.settle()));
    await this.#opener.meter.close();
  }
}

const onePair = { recorded: 1, duplicate: 0, refused: 0 };

/** A session is opened and settled at once; open loop. */
class Pairs implements LoadClient {
  readonly recorder = new Recorder();
  readonly #opener: Opener;
  #underWay = 0;
  #everyMs = Number.POSITIVE_INFINITY;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void) | undefined;

  constructor(config: ClientConfig) {
    this.#opener = new Opener(config);
  }

  async start(): Promise<void> {}

  load(ratePerSecond: number | null): void {
    this.#everyMs = ratePerSecond === null ? 0 : 1_000 / ratePerSecond;
    this.#dueMs = performance.now();
    this.#timer ??= setInterval(() => this.#turn(), turnMs);
  }

  #turn(): void {
    const nowMs = performance.now();
    while (this.#dueMs <= nowMs && this.#underWay < rampPairsMax) {
      void this.#pair(this.#everyMs === 0 ? nowMs : this.#dueMs);
      this.#dueMs += this.#everyMs;
    }
  }

  /** Never rejects. */
  async #pair(dueMs: number): Promise<void> {
    this.#underWay++;
    try {
      const session = allowed(await this.#opener.open());
      await session.settle({ input_tokens: 500, output_tokens: 200 });
    } catch (error) {
      fail(error);
      return;
    }
    const latencyMs = performance.now() - dueMs;
    this.recorder.applied(onePair, latencyMs);
    this.recorder.durable(1, latencyMs);
    this.#underWay--;
    if (this.#underWay === 0) this.#onIdle?.();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#opener.meter.close();
  }
}

/** One open at a time, in turns with the least that it could be: a script that does nothing, and an echo on an open stream. */
class Light implements LoadClient {
  readonly recorder = new Recorder();
  readonly #opener: Opener;
  readonly #redis: Redis;
  readonly #echoServer = fork(new URL('../variants/echo-server.js', import.meta.url));
  #echo: ClientDuplexStream<Buffer, Buffer> | undefined;
  #echoClient: Client | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(config: ClientConfig) {
    this.#opener = new Opener(config);
    this.#redis = new Redis((config.redisUrl as string).replace(/^unix:\/\//, ''));
  }

  async start(): Promise<void> {
    const [port] = (await once(this.#echoServer, 'message')) as [number];
    this.#echoClient = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    this.#echo = this.#echoClient.makeBidiStreamRequest(echoPath, identity, identity);
  }

  load(): void {
    this.#running ??= this.#run().catch(fail);
  }

  async #run(): Promise<void> {
    const hash = (await this.#redis.script('LOAD', 'return 1')) as string;
    const echo = this.#echo as ClientDuplexStream<Buffer, Buffer>;
    const message = Buffer.alloc(100, 1);
    while (!this.#isStopped) {
      await this.#timed('bare EVALSHA', () => this.#redis.evalsha(hash, 0));
      await this.#timed('bare stream', async () => {
        echo.write(message);
        await once(echo, 'data');
      });
      const startMs = performance.now();
      const session = allowed(await this.#opener.open());
      const latencyMs = performance.now() - startMs;
      this.recorder.applied({ recorded: 1, duplicate: 0, refused: 0 }, latencyMs);
      this.recorder.durable(1, latencyMs);
      await session.release();
    }
  }

  async #timed(name: string, call: () => Promise<unknown>): Promise<void> {
    const startMs = performance.now();
    await call();
    this.recorder.beside(name, performance.now() - startMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#opener.meter.close();
    if (this.#echo !== undefined) {
      const over = once(this.#echo, 'end');
      this.#echo.end();
      await over;
    }
    this.#echoClient?.close();
    this.#redis.disconnect();
    this.#echoServer.kill();
  }
}

const loads = { progress: Progress, pairs: Pairs, light: Light };

serveRequests(async (config) => {
  const load = new loads[process.argv[2] as keyof typeof loads](config);
  await load.start();
  return load;
});
