/** Statements against the ledger that they sum up. Booked times are moved in Postgres: nothing else tells a statement what month it was. */
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import type { GetStatementResponse__Output } from '../../src/gen/drawdown/v1/GetStatementResponse.js';
import { partitionKeys, partitionOf } from '../../src/redis/keys.js';
import { sql } from '../helpers/audit.js';
import { rebook } from '../helpers/booked.js';
import { CallFailure, type TestClient, usageEvent } from '../helpers/client.js';
import { foldedStatement, type Range, useKey } from '../helpers/folded-statement.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let client: TestClient;
beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  const places = { redisUrl: redis.url, postgresUrl: database.url };
  // A test locks a table, for which the background verifier would wait, too.
  sidecar = await startTestSidecar(places, { verifyAccountsPerSecond: 0 });
  client = sidecar.client;
});
afterAll(async () => {
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The first of the month so many months before this one, UTC. */
function monthStart(monthsAgo: number): number {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsAgo, 1);
}

async function statement(
  accountId: string,
  range: Partial<Range> = {},
): Promise<GetStatementResponse__Output> {
  return client.call('AccountService/GetStatement', { accountId, pageSize: 1_000, ...range });
}

async function sourcesOf(accountId: string): Promise<Map<string, string>> {
  const { lots } = await client.call('AccountService/ListLots', {
    accountId,
    includeEmpty: true,
    pageSize: 1_000,
  });
  return new Map(lots.map((lot) => [lot.lotId, lot.source]));
}

function usesOf({ uses }: GetStatementResponse__Output): Map<string, object> {
  return new Map(
    uses.map((use) => {
      const { count, spent, debt, unrated, quantities } = use;
      return [useKey(use), { count, spent, debt, unrated, quantities }];
    }),
  );
}

/** Asks for a statement and expects that it is what the lines add up to. */
async function expectFolded(accountId: string, range: Range): Promise<GetStatementResponse__Output> {
  const [answer, ledger, sources] = await Promise.all([
    statement(accountId, range),
    client.ledger(accountId),
    sourcesOf(accountId),
  ]);
  const { uses, ...expected } = foldedStatement(ledger, range, sources);
  expect(answer).toMatchObject(expected);
  expect(answer.wallets).toEqual(expected.wallets);
  expect(usesOf(answer)).toEqual(uses);
  return answer;
}

/** Traffic of every kind, in an order that the seed decides. */
async function makeTraffic(accountId: string, random: SeededRandom, steps: number): Promise<void> {
  await client.account(accountId);
  const models = ['claude-haiku-4-5', 'gpt-4o-mini', 'nobody-knows-this'];
  const agents = ['', 'agent-a', 'agent-b'];
  const open = ['unknown-1', 'unknown-2'];
  for (let step = 0; step < steps; step++) {
    const id = `step-${step}`;
    const micros = random.between(1, 400_000);
    switch (random.between(0, 7)) {
      case 0:
        await client.topUp(accountId, random.between(1, 1_000_000), { requestId: id });
        break;
      case 1:
        await client.topUp(accountId, random.between(1, 300), { requestId: id, unit: 'UNIT_TTS_CHARACTERS' });
        break;
      case 2:
        await client.topUp(accountId, micros, { requestId: id, expiresAtMs: Date.now() + 1_000 });
        break;
      case 3: {
        const tts = { meter: 'tts', model: 'tts-1', quantities: { characters: random.between(1, 200) } };
        await client.record([usageEvent(accountId, id, 0, { ...tts, agentId: random.pick(agents) })]);
        break;
      }
      case 4: {
        const more = { agentId: random.pick(agents), holdTimeMs: HOUR };
        const { verdict } = await client.reserve(accountId, id, micros, more);
        if (verdict === 'VERDICT_ALLOWED') open.push(id);
        break;
      }
      case 5: {
        const [hold] = open.splice(random.between(0, open.length - 1), 1);
        if (hold !== undefined && random.next() < 0.3 && !hold.startsWith('unknown')) {
          await client.release(accountId, hold);
        } else if (hold !== undefined) await client.settle(accountId, hold, micros, { agentId: 'agent-s' });
        break;
      }
      default:
        await client.record([
          usageEvent(accountId, id, micros, { model: random.pick(models), agentId: random.pick(agents) }),
        ]);
    }
  }
  await until('what expires has expired', async () => {
    const { lots } = await client.call('AccountService/ListLots', { accountId, pageSize: 1_000 });
    // What is held of a lot stays until its hold ends.
    return lots.every(({ expiresAtMs, remaining, held }) => Number(expiresAtMs) === 0 || remaining === held);
  });
  // Also in Postgres: a ledger is read with all that was applied before.
  await client.ledger(accountId);
}

describe('a statement', () => {
  it('is the sum of the ledger for any range of random traffic, whatever openings are there', async () => {
    const random = new SeededRandom(seedOf('statements'));
    for (let account = 0; account < 4; account++) {
      const accountId = `random-${account}`;
      await makeTraffic(accountId, random, 60);
      const lines = await client.ledger(accountId);
      // From five months ago till now, the first millisecond of months among them; several lines may share one.
      const starts = [5, 4, 3, 2, 1].map(monthStart);
      const times = lines
        .map(() =>
          random.next() < 0.2
            ? random.pick(starts) - random.between(0, 1)
            : random.between(monthStart(5), monthStart(0)),
        )
        .sort((a, b) => a - b);
      await rebook(database.url, accountId, (seq) => times[seq - 1] as number);
      for (let i = 0; i < 12; i++) {
        const moment = (): number => {
          const near = random.pick([...times, ...starts]) + random.between(-1, 1);
          return random.next() < 0.7 ? near : random.between(monthStart(5), monthStart(0));
        };
        const [fromTimeMs, toTimeMs] = [moment(), moment()].sort((a, b) => a - b) as [number, number];
        if (fromTimeMs < toTimeMs) await expectFolded(accountId, { fromTimeMs, toTimeMs });
      }
    }
    const openings = await sql(database.url, 'SELECT count(*) FROM opening_balances');
    expect(Number(openings[0]?.count)).toBeGreaterThan(4);
  });

  it('ends where the next one begins, month by month from the first line to now', async () => {
    const accountId = 'tiles';
    await makeTraffic(accountId, new SeededRandom(seedOf('tiles')), 40);
    await rebook(database.url, accountId, (seq) => monthStart(3) + seq * 2 * DAY);
    const whole = await statement(accountId);
    const parts = await Promise.all(
      [4, 3, 2, 1, 0].map((ago) =>
        statement(accountId, { fromTimeMs: monthStart(ago), toTimeMs: ago === 0 ? 0 : monthStart(ago - 1) }),
      ),
    );
    for (const [i, part] of parts.entries()) {
      const next = parts[i + 1];
      if (next === undefined) continue;
      expect(part.throughAccountSeq).toBe(next.afterAccountSeq);
      for (const { unit, closing } of part.wallets) {
        expect(next.wallets.find((wallet) => wallet.unit === unit)?.opening).toEqual(closing);
      }
    }
    for (const wallet of whole.wallets) {
      const spent = parts.flatMap((part) => part.wallets.filter(({ unit }) => unit === wallet.unit));
      expect(spent.reduce((sum, part) => sum + BigInt(part.spent), 0n)).toBe(BigInt(wallet.spent));
      expect(parts.at(-1)?.wallets.find(({ unit }) => unit === wallet.unit)?.closing).toEqual(wallet.closing);
    }
  });

  it('puts a line of the first millisecond of a month into that month, one of the last into the month before', async () => {
    const accountId = await client.account('midnight', 1_000);
    await client.record(
      [usageEvent(accountId, 'last', 100), usageEvent(accountId, 'first', 10)],
      'ACK_LEVEL_DURABLE',
    );
    const start = monthStart(1);
    await rebook(database.url, accountId, (seq) => (seq < 4 ? start - 1 : start));
    const before = await expectFolded(accountId, { fromTimeMs: monthStart(2), toTimeMs: start });
    const after = await expectFolded(accountId, { fromTimeMs: start, toTimeMs: monthStart(0) });
    expect(before.wallets).toMatchObject([{ granted: '1000', spent: '100', closing: { available: '900' } }]);
    expect(after.wallets).toMatchObject([{ opening: { available: '900' }, spent: '10', sources: [] }]);
  });

  it('shows a hold that it cuts in two as held at its opening, and settled inside', async () => {
    const accountId = await client.account('cut', 1_000);
    await client.reserve(accountId, 'hold', 400, { holdTimeMs: DAY });
    await client.record([usageEvent(accountId, 'beside', 50)], 'ACK_LEVEL_DURABLE');
    const open = await statement(accountId);
    expect(open.wallets).toMatchObject([{ closing: { available: '550', held: '400' } }]);
    await client.settle(accountId, 'hold', 300, { ackLevel: 'ACK_LEVEL_DURABLE' });
    const cut = monthStart(1) + 7 * DAY + 1_234;
    await rebook(database.url, accountId, (seq) => (seq < 4 ? cut - 1 : cut));
    const answer = await expectFolded(accountId, { fromTimeMs: cut, toTimeMs: cut + DAY });
    expect(answer.wallets).toMatchObject([
      {
        opening: { available: '550', held: '400', debt: '0' },
        spent: '300',
        closing: { available: '650', held: '0', debt: '0' },
      },
    ]);
  });

  it('shows all open holds at the closing of an open range, of which the ledger has no line yet', async () => {
    const accountId = await client.account('holding', 1_000);
    await client.reserve(accountId, 'hold', 400, { ackLevel: 'ACK_LEVEL_DURABLE' });
    const { wallets, toTimeMs, through } = await statement(accountId);
    expect(wallets).toMatchObject([
      { granted: '1000', closing: { available: '600', held: '400', debt: '0' } },
    ]);
    expect(toTimeMs).toBe('0');
    const [cursor] = await sql(database.url, 'SELECT epoch, seq FROM partitions WHERE partition = $1', [
      through?.partition,
    ]);
    expect(cursor).toEqual({ epoch: through?.epoch.toString(), seq: through?.seq });
  });

  it('carries debt over its boundary, and shows what became debt and what paid it', async () => {
    const accountId = await client.account('debtor', 100);
    await client.record([usageEvent(accountId, 'much', 250)], 'ACK_LEVEL_DURABLE');
    await client.topUp(accountId, 500, { requestId: 'pays' });
    const cut = monthStart(1);
    await rebook(database.url, accountId, (seq) => (seq < 4 ? cut - DAY : cut + DAY));
    const before = await expectFolded(accountId, { fromTimeMs: 0, toTimeMs: cut });
    const after = await expectFolded(accountId, { fromTimeMs: cut, toTimeMs: cut + 2 * DAY });
    expect(before.wallets).toMatchObject([
      { spent: '250', debtIncurred: '150', debtPaid: '0', closing: { available: '0', debt: '150' } },
    ]);
    expect(before.uses).toMatchObject([{ spent: '250', debt: '150' }]);
    expect(after.wallets).toMatchObject([
      {
        opening: { available: '0', debt: '150' },
        granted: '500',
        debtIncurred: '0',
        debtPaid: '150',
        closing: { available: '350', debt: '0' },
      },
    ]);
  });

  it('shows corrections apart from what was used: a charge made twice, and its reversal', async () => {
    const accountId = await client.account('twice', 10_000);
    const event = usageEvent(accountId, 'event', 777);
    await client.record([event], 'ACK_LEVEL_DURABLE');
    // Redis forgets the id, so the charge is made again; Postgres notices.
    const keys = partitionKeys('drawdown', partitionOf(accountId, sidecar.config.partitionCount));
    await forget(keys[4], `u${accountId.length}:${accountId}event`);
    await client.record([event], 'ACK_LEVEL_DURABLE');
    await until('it is reversed', async () => (await client.ledger(accountId)).length === 5);
    const { wallets, uses } = await statement(accountId);
    expect(uses).toMatchObject([{ count: '1', spent: '777', quantities: { input_tokens: '777' } }]);
    expect(wallets).toMatchObject([
      {
        spent: '777',
        closing: { available: '9223' },
        corrections: [
          { kind: 'ENTRY_KIND_DUPLICATE', count: '1', spent: '777' },
          { kind: 'ENTRY_KIND_REVERSAL', count: '1', spent: '-777' },
        ],
      },
    ]);
  });

  it('of a closed month never changes, not by usage of that month that is booked later', async () => {
    const accountId = await client.account('closed', 1_000);
    await client.record([usageEvent(accountId, 'in-time', 100)], 'ACK_LEVEL_DURABLE');
    const month = { fromTimeMs: monthStart(1), toTimeMs: monthStart(0) };
    await rebook(database.url, accountId, () => month.fromTimeMs + DAY);
    const { through: _, ...first } = await expectFolded(accountId, month);
    const eventTimeMs = Math.max(month.toTimeMs - HOUR, Date.now() - 34 * DAY);
    expect(eventTimeMs).toBeLessThan(month.toTimeMs);
    await client.record([usageEvent(accountId, 'late', 30, { eventTimeMs })], 'ACK_LEVEL_DURABLE');
    const { through: __, ...second } = await statement(accountId, month);
    expect(second).toEqual(first);
    const after = await statement(accountId, { fromTimeMs: month.toTimeMs });
    expect(after.wallets).toMatchObject([{ opening: { available: '900' }, spent: '30' }]);
  });

  it('of an account without lines, or of a time without any, has wallets that moved nothing', async () => {
    const empty = await client.account('empty');
    expect(await statement(empty)).toMatchObject({ wallets: [], uses: [], throughAccountSeq: '1' });
    const idle = await client.account('idle', 500);
    await rebook(database.url, idle, () => monthStart(4) + DAY);
    const later = { fromTimeMs: monthStart(2), toTimeMs: monthStart(1) };
    expect((await expectFolded(idle, later)).wallets).toMatchObject([
      { opening: { available: '500' }, granted: '0', spent: '0', sources: [], closing: { available: '500' } },
    ]);
    const earlier = { fromTimeMs: monthStart(6), toTimeMs: monthStart(5) };
    expect((await expectFolded(idle, earlier)).wallets).toEqual([]);
  });

  it('is not shown where the ledger contradicts itself', async () => {
    const accountId = await client.account('changed', 1_000);
    await client.record([usageEvent(accountId, 'e', 100)], 'ACK_LEVEL_DURABLE');
    await sql(
      database.url,
      `UPDATE entries SET spent = 99 WHERE id = 'e' AND account_key = (SELECT account_key FROM accounts WHERE account_id = 'changed')`,
    );
    const failure = await client.failure('AccountService/GetStatement', { accountId });
    expect(failure).toMatchObject({ status: 'INTERNAL', reason: 'INTERNAL' });
  });

  it('waits for its turn behind two others; too many that wait are refused, and deadlines end queries in Postgres', async () => {
    const accountId = await client.account('busy', 1_000);
    await statement(accountId);
    const blocker = new pg.Client({ connectionString: database.url });
    await blocker.connect();
    await blocker.query('BEGIN; LOCK TABLE opening_balances');
    const waiting = async (): Promise<number> => {
      const rows = await sql(
        database.url,
        // Without the openings that are written in the background: they wait for as long as it takes.
        `SELECT 1 FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query NOT LIKE '%sum(write_opening(%'`,
      );
      return rows.length;
    };
    const ended = client.failure(
      'AccountService/GetStatement',
      { accountId },
      { deadlineMs: Date.now() + 500 },
    );
    expect(await ended).toMatchObject({ status: 'DEADLINE_EXCEEDED' });
    await until('its query has ended', async () => (await waiting()) === 0);
    const calls = Array.from({ length: 60 }, () => statement(accountId).catch((error: unknown) => error));
    const refused = await Promise.race([
      ...calls.map((call) =>
        call.then((answer) => (answer instanceof CallFailure ? answer : new Promise(() => {}))),
      ),
    ]);
    expect(refused).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'LIMIT_REACHED' });
    expect(await waiting()).toBeLessThanOrEqual(2);
    await blocker.query('ROLLBACK');
    await blocker.end();
    const answers = await Promise.all(calls);
    expect(answers.filter((answer) => !(answer instanceof CallFailure))).toHaveLength(52);
  });

  it('is refused where nothing can be said: unknown accounts, impossible ranges, foreign page tokens', async () => {
    const refusal = async (request: object) => {
      const { status, reason, field } = await client.failure('AccountService/GetStatement', {
        accountId: 'refused',
        ...request,
      });
      return `${status} ${reason} ${field}`;
    };
    expect(await refusal({})).toBe('NOT_FOUND ACCOUNT_UNKNOWN account_id');
    await client.account('refused');
    const invalid = (field: string) => `INVALID_ARGUMENT FIELD_INVALID ${field}`;
    expect(await refusal({ fromTimeMs: 2, toTimeMs: 2 })).toBe(invalid('to_time_ms'));
    expect(await refusal({ fromTimeMs: Date.now() + DAY })).toBe(invalid('from_time_ms'));
    expect(await refusal({ fromTimeMs: -1 })).toBe(invalid('from_time_ms'));
    expect(await refusal({ pageSize: 1_001 })).toBe(invalid('page_size'));
    for (const pageToken of ['x', '1', '2.1.0', '0.99.0', '0.1.-1']) {
      expect(await refusal({ pageToken })).toBe(invalid('page_token'));
    }
  });

  it('of more lines than statementLinesMax is refused, and says that shorter ranges add up', async () => {
    const accountId = await client.account('long', 1_000);
    await statement(accountId);
    await sql(database.url, 'UPDATE accounts SET entries = 1000002 WHERE account_id = $1', [accountId]);
    const failure = await client.failure('AccountService/GetStatement', { accountId });
    expect(failure).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      reason: 'LIMIT_REACHED',
      retryAfterMs: null,
    });
    expect(failure.message).toContain('1000002 lines');
    await sql(database.url, 'UPDATE accounts SET entries = 2 WHERE account_id = $1', [accountId]);
  });

  it('comes in pages that belong to the lines of the first one, whatever is booked meanwhile', async () => {
    const accountId = await client.account('paged', 1_000_000);
    const events = Array.from({ length: 25 }, (_, i) =>
      usageEvent(accountId, `e${i}`, 10, { agentId: `agent-${String(i).padStart(2, '0')}` }),
    );
    await client.record(events, 'ACK_LEVEL_DURABLE');
    const agents: string[] = [];
    let pageToken = '';
    do {
      const page = await client.call('AccountService/GetStatement', { accountId, pageSize: 10, pageToken });
      expect(page.wallets).toHaveLength(pageToken === '' ? 1 : 0);
      expect(page.throughAccountSeq).toBe('27');
      for (const use of page.uses) expect(use).toMatchObject({ count: '1', spent: '10' });
      agents.push(...page.uses.map((use) => use.agentId));
      await client.record([usageEvent(accountId, `more-${agents.length}`, 1, { agentId: 'agent-000' })]);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(agents).toEqual(events.map((event) => event.agentId));
  });

  it('is exact where its sums exceed 2^53', async () => {
    const accountId = await client.account('rich');
    const value = Number.MAX_SAFE_INTEGER;
    for (let i = 0; i < 5; i++) {
      await client.settle(accountId, `hold-${i}`, value);
      await client.topUp(accountId, value, { requestId: `grant-${i}` });
    }
    const [wallet] = (await statement(accountId)).wallets;
    const total = (5n * BigInt(value)).toString();
    expect(wallet).toMatchObject({ granted: total, spent: total, debtIncurred: total, debtPaid: total });
  });
});

describe('account statement', () => {
  it('prints what a customer would see, and all pages as JSON', async () => {
    const accountId = await client.account('printed', 2_000_000);
    const events = Array.from({ length: 1_001 }, (_, i) =>
      usageEvent(accountId, `e${i}`, 1_000, { agentId: `agent-${i}` }),
    );
    await client.record([...events, usageEvent(accountId, 'more', 1_234_567)], 'ACK_LEVEL_DURABLE');
    const lines: string[] = [];
    const run = (...argv: string[]) => {
      lines.length = 0;
      const io = { out: (line: string) => lines.push(line), error: (line: string) => lines.push(line) };
      return runCli(['account', 'statement', accountId, '--address', sidecar.grpcAddress, ...argv], io);
    };
    expect(await run()).toBe(0);
    const text = lines.join('\n');
    for (const part of [
      /^account +printed\nfrom +the beginning\nto +now\nlines +1 to 1004\nledger +partition \d, epoch 1, through entry \d+$/m,
      /^opening balance +0\.000000$/m,
      /^granted: top_up +1 +2\.000000$/m,
      /^used: llm claude-haiku-4-5 +1 +-1\.234567 +input_tokens=1234567$/m,
      /^used: llm claude-haiku-4-5 by agent-999 +1 +-0\.001000 +input_tokens=1000$/m,
      /^closing balance +-0\.235567$/m,
      /^closing: available 0\.000000 credits, held 0\.000000 credits, debt 0\.235567 credits$/m,
    ]) {
      expect(text).toMatch(part);
    }
    expect(await run('--json', '--from', '2024-01-01', '--to', String(Date.now() + DAY))).toBe(0);
    const printed: GetStatementResponse__Output = JSON.parse(lines.join('\n'));
    expect(printed.uses).toHaveLength(1_002);
    expect(printed).toMatchObject({ nextPageToken: '', wallets: [{ spent: '2235567' }] });
    expect(await run('--from', '2024-02-01', '--to', '2024-01-01')).toBe(1);
  });
});

describe('opening balances', () => {
  it('are written once on demand, and serve statements whose months before were detached', async () => {
    const accountId = await client.account('archived', 1_000);
    const eventTimeMs = Date.now() - 34 * DAY;
    await client.record([usageEvent(accountId, 'old', 100, { eventTimeMs })], 'ACK_LEVEL_DURABLE');
    await client.record([usageEvent(accountId, 'new', 10)], 'ACK_LEVEL_DURABLE');
    const cut = monthStart(1);
    await rebook(database.url, accountId, (seq) => (seq < 4 ? cut - DAY : cut + DAY));
    const range = { fromTimeMs: cut, toTimeMs: cut + 2 * DAY };
    const first = await expectFolded(accountId, range);
    const openings = () =>
      sql(
        database.url,
        `SELECT month, unit, account_seq, remaining, held, o.debt FROM opening_balances o JOIN accounts USING (account_key) WHERE account_id = $1`,
        [accountId],
      );
    const written = await openings();
    expect(written).toMatchObject([
      { unit: 'credits', account_seq: '3', remaining: '900', held: '0', debt: '0' },
    ]);
    // All lines through the third, the one with the old event time among them, leave with their months.
    const month = Number(new Date(eventTimeMs).toISOString().slice(0, 7).replace('-', ''));
    await sql(database.url, `ALTER TABLE entries DETACH PARTITION entries_${month} CONCURRENTLY`);
    try {
      const { through: _, ...again } = await statement(accountId, range);
      expect(first).toMatchObject(again);
      const failure = await client.failure('AccountService/GetStatement', {
        accountId,
        fromTimeMs: cut - 2 * DAY,
      });
      expect(failure).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'LEDGER_DETACHED' });
      expect(await openings()).toEqual(written);
    } finally {
      const next = month % 100 === 12 ? month + 89 : month + 1;
      await sql(
        database.url,
        `ALTER TABLE entries ATTACH PARTITION entries_${month} FOR VALUES FROM (${month}) TO (${next})`,
      );
    }
    await expectFolded(accountId, { fromTimeMs: cut - 2 * DAY, toTimeMs: cut + 2 * DAY });
  });
});

async function forget(key: string, field: string): Promise<void> {
  const connection = new Redis(redis.socketPath);
  await connection.hdel(key, field);
  connection.disconnect();
}
