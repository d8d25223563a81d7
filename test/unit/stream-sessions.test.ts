/** Opens and settles of one stream, from its messages to what a queue is given, and back: what it is told, and in which order. The queue is a stand-in. */
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { DrawdownError } from '../../src/errors.js';
import { createMetrics } from '../../src/metrics.js';
import type { Pool } from '../../src/postgres/pool.js';
import { CODE, OP, REASON, STATE } from '../../src/redis/format.js';
import { Sessions } from '../../src/sessions/sessions.js';
import { StreamSessions } from '../../src/sessions/stream-sessions.js';
import type { SessionOpen, SessionSettle } from '../../src/sessions/types.js';
import type { Catalogs } from '../../src/usage/catalogs.js';
import { Executor } from '../../src/usage/executor.js';
import { Meter } from '../../src/usage/meter.js';
import type { Decision, FinalResult, Operation } from '../../src/usage/operation.js';
import type { PartitionQueue } from '../../src/usage/partition-queue.js';
import { SessionOperations } from '../../src/usage/session-operations.js';
import { DurableWatermarks } from '../../src/usage/watermarks.js';
import { catalogWith } from './catalog-sample.js';

const limits = {
  partitionCount: 1,
  checkpointIntervalMs: 1_000,
  sessionHoldMs: 60_000,
  sessionGraceMs: 10_000,
  callDeadlineDefaultMs: 5_000,
  sessionsMax: 10,
  streamSessionsMax: 10,
  eventAgeMaxMs: 60_000,
  eventFutureMaxMs: 60_000,
  holdTimeDefaultMs: 60_000,
  holdTimeMaxMs: 60_000,
};

/** A micro-credit an output token, and twice that by the version before. */
const catalogs = {
  7: { version: 7, compiled: catalogWith([{ name: 'output', price: '1' }]) },
  6: { version: 6, compiled: { ...catalogWith([{ name: 'output', price: '2' }]), version: 6 } },
};

/** Where the counts of an open, and the amount of a settle, stand in their rows. */
const WANTED = 16;
const SETTLED = 10;

class Stage {
  readonly sent: Operation[] = [];
  /** What the queue refuses operations with. */
  full: DrawdownError | null = null;
  readonly judged: { number: number; seqs: number[] }[] = [];
  readonly metrics = createMetrics({ processMetrics: false });
  readonly sessions: Sessions;
  readonly stream: StreamSessions;
  #message = 0;
  #seq = 0;

  constructor() {
    const push = (operation: Operation): void => {
      if (this.full === null) this.sent.push(operation);
      else operation.failed(this.full);
    };
    const executor = new Executor([{ push } as unknown as PartitionQueue], new DurableWatermarks(1));
    const versions = {
      current: () => catalogs[7],
      version: async (version: 6 | 7) => catalogs[version] ?? null,
    } as unknown as Catalogs;
    const meter = new Meter(executor, versions, {} as Pool, limits, this.metrics);
    const operations = new SessionOperations(executor);
    const logger = pino({ level: 'silent' });
    this.sessions = new Sessions(operations, meter, versions, limits, this.metrics, logger);
    this.sessions.stop();
    this.stream = new StreamSessions(
      this.sessions,
      {
        answersWait: () => undefined,
        judged: (number, positions) =>
          void this.judged.push({ number, seqs: positions.map(({ seq }) => seq) }),
      },
      {
        sessionOpened: () => undefined,
        settled: () => undefined,
        released: () => undefined,
        sessionRefused: () => undefined,
      },
      this.metrics,
    );
  }

  send(calls: { opens?: SessionOpen[]; settles?: SessionSettle[]; progress?: [number, number][] }): void {
    const { opens = [], settles = [], progress = [] } = calls;
    const messageNumber = ++this.#message;
    this.stream.take({ messageNumber, opens, settles, releases: [], refused: [] }, () => {
      for (const [number, count] of progress) this.stream.progress(number, Float64Array.of(count), 1);
    });
  }

  /** Answers the operation that was sent first of those that wait. */
  async answer(result: FinalResult): Promise<void> {
    const partition = { number: 0 } as Decision['partition'];
    this.#next().done(result, { partition, epoch: 1, nowMs: Date.now() });
    await soon();
  }

  async opened(catalogVersion = 7): Promise<void> {
    const wanted = this.sent[0]?.packed[WANTED] as number;
    const amounts = { unit: 1, held: wanted, covers: wanted, available: 50, deadlineMs: 9, charge: 0 };
    const seq = ++this.#seq;
    const generation = catalogVersion === 7 ? 1 : 2;
    const details = generation === 1 ? '' : '{"output":3}';
    await this.answer({ code: 'opened', session: { seq, generation, ...amounts, catalogVersion, details } });
  }

  async settled(): Promise<void> {
    const amounts = { unit: 1, amount: this.sent[0]?.packed[SETTLED] as number, overdrawn: 0, available: 50 };
    const more = { flags: 0, extra: 0, catalogVersion: 7, converted: 0, cycleStartMs: 0 };
    const outcome = { hash: 0, seq: ++this.#seq, state: STATE.settled, ...amounts, ...more };
    await this.answer({ code: CODE.ok, outcome });
  }

  async fail(error: DrawdownError): Promise<void> {
    this.#next().failed(error);
    await soon();
  }

  told() {
    const { opened = [], ended = [], refused = [] } = this.stream.takeAnswers(100) ?? {};
    return {
      opened: opened.map(({ number, denied, allowedThrough }) => [number, denied ?? allowedThrough]),
      ended: ended.map((end) => [end.number, end.kind === 'settled' ? end.settled.charged : 'released']),
      refused: refused.map(({ number, reason }) => [number, reason]),
    };
  }

  #next(): Operation {
    const operation = this.sent.shift();
    if (operation === undefined) throw new Error('Nothing was sent');
    return operation;
  }
}

/** Everything that is only a matter of microtasks. */
const soon = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

const nothing = { opened: [], ended: [], refused: [] };
const open = (number: number, more: Partial<SessionOpen> = {}): SessionOpen => ({
  number,
  sessionId: `session-${number}`,
  accountId: 'account',
  agentId: '',
  meter: 'm',
  model: 'x',
  startTimeMs: Date.now(),
  known: [],
  counted: ['output'],
  expectedMax: 0,
  whole: false,
  generation: 0,
  ...more,
});
const settle = (number: number, output = 5): SessionSettle => ({
  number,
  quantities: [['output', output]],
  eventTimeMs: Date.now(),
});
const away = new DrawdownError('UNAVAILABLE', 'away');

describe('a session of a stream', () => {
  it('is opened, settled and told, each message once with where its calls stand', async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1), open(2)] });
    await stage.opened();
    expect(stage.judged).toEqual([]);
    expect(stage.told()).toEqual({ ...nothing, opened: [[1, 256]] });
    await stage.opened();
    expect(stage.judged).toEqual([{ number: 1, seqs: [1, 2] }]);
    stage.send({ settles: [settle(2, 7)] });
    expect(stage.stream.callsInFlight).toBe(1);
    await stage.settled();
    expect(stage.told()).toEqual({ ...nothing, opened: [[2, 256]], ended: [[2, 7]] });
    expect(stage.judged[1]).toEqual({ number: 2, seqs: [3] });
    expect([stage.stream.size, stage.stream.callsInFlight]).toEqual([1, 0]);
    expect(await stage.metrics.render()).toContain('drawdown_open_sessions 1\n');
    await stage.sessions.idle();
  });

  it('that is settled before its verdict is settled right after it', async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1)], settles: [settle(1)] });
    expect(stage.sent).toHaveLength(1);
    await stage.opened();
    await stage.settled();
    expect(stage.told()).toEqual({ ...nothing, opened: [[1, 256]], ended: [[1, 5]] });
    expect(stage.judged).toEqual([{ number: 1, seqs: [1, 2] }]);
  });

  it.each([
    ['the queue refuses it', { full: away }, {}, 'UNAVAILABLE'],
    ['it has no price', {}, { meter: 'other' }, 'FIELD_INVALID'],
    ['it is too old', {}, { startTimeMs: 1 }, 'EVENT_TOO_OLD'],
  ])('is opening through its message where %s at once', async (_, stand, more, reason) => {
    const stage = Object.assign(new Stage(), stand);
    stage.send({ opens: [open(1, more)], progress: [[1, 5]], settles: [settle(1)] });
    expect(stage.told()).toEqual(nothing);
    await soon();
    // The count is dropped without a word, and the settle that waited for the verdict has no session.
    expect(stage.told().refused).toEqual([
      [1, reason],
      [1, 'SESSION_UNKNOWN'],
    ]);
    expect(stage.judged).toEqual([{ number: 1, seqs: [] }]);
    expect(stage.stream.size).toBe(0);
    await stage.sessions.idle();
  });

  it('is ending through its message where its settle is refused at once, and then as open as before', async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1)] });
    await stage.opened();
    stage.full = away;
    stage.send({ settles: [settle(1), settle(1)] });
    await soon();
    expect(stage.told().refused).toEqual([
      [1, 'SESSION_UNKNOWN'],
      [1, 'UNAVAILABLE'],
    ]);
    stage.full = null;
    stage.send({ settles: [settle(1)] });
    await stage.settled();
    expect(stage.told().ended).toEqual([[1, 5]]);
  });

  it('is told why it is not open', async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1), open(2), open(3), open(4)] });
    const amounts = { unit: 1, available: 0, missing: 1 };
    await stage.answer({ code: CODE.denied, denial: { reason: REASON.insufficientBalance, ...amounts } });
    await stage.answer({ code: CODE.none });
    await stage.answer({ code: CODE.denied, denial: { reason: 99, ...amounts } });
    await stage.fail(away);
    expect(stage.told()).toEqual({
      ...nothing,
      opened: [[1, 'INSUFFICIENT_BALANCE']],
      refused: [
        [2, 'UNAVAILABLE'],
        [3, 'UNAVAILABLE'],
        [4, 'UNAVAILABLE'],
      ],
    });
    expect(stage.stream.size).toBe(0);
  });

  it("is no longer the stream's where it was settled on with an old generation", async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1)] });
    await stage.opened();
    stage.send({ settles: [settle(1)] });
    await stage.answer({ code: CODE.stale });
    expect(stage.told().refused).toEqual([[1, 'SESSION_MOVED']]);
    expect(stage.stream.size).toBe(0);
  });

  it('whose stream leaves while its open is on its way gets its grace period with the verdict', async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1)] });
    stage.stream.leave();
    await stage.opened();
    expect(stage.sent.map(({ packed }) => packed[0])).toEqual([OP.checkpoint]);
    expect(stage.sent[0]?.packed).toContain(limits.sessionGraceMs);
    expect(stage.told()).toEqual(nothing);
    await stage.fail(away);
    await stage.sessions.idle();
  });

  it('that is taken over is priced by the version that it began with, and so is its settle', async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1)] });
    await stage.opened(6);
    expect(stage.told().opened).toEqual([[1, 128]]);
    stage.send({ settles: [settle(1, 5)] });
    expect(stage.sent[0]?.packed.slice(SETTLED - 1)).toEqual([1, 5]);
    await stage.answer({ code: CODE.reprice, catalogVersion: 6 });
    expect(stage.sent[0]?.packed.slice(SETTLED - 1)).toEqual([1, 10]);
    expect(stage.sent[0]?.catalogVersion).toBe(6);
    await stage.settled();
    expect(stage.told().ended).toEqual([[1, 10]]);
  });

  it('is not settled by a version that nobody knows, or that never stays', async () => {
    const stage = new Stage();
    stage.send({ opens: [open(1)] });
    await stage.opened();
    stage.send({ settles: [settle(1)] });
    await stage.answer({ code: CODE.reprice, catalogVersion: 5 });
    for (const version of [6, 7, 6]) {
      if (version === 6 && stage.sent.length === 0) stage.send({ settles: [settle(1)] });
      await stage.answer({ code: CODE.reprice, catalogVersion: version });
    }
    expect(stage.told().refused).toEqual([
      [1, 'UNAVAILABLE'],
      [1, 'UNAVAILABLE'],
    ]);
    expect(stage.sent).toEqual([]);
  });
});
