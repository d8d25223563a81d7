/** WatchBalance: what its readers are told, and that no crossing of a threshold is lost or said twice. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config.js';
import type { Thresholds } from '../../src/credits/watch.js';
import { Watches } from '../../src/credits/watches.js';
import type { LedgerEntry__Output } from '../../src/gen/drawdown/v1/LedgerEntry.js';
import { createMetrics } from '../../src/metrics.js';
import { createPool } from '../../src/postgres/pool.js';
import { DurableWatermarks } from '../../src/usage/watermarks.js';
import { usageEvent } from '../helpers/client.js';
import { metric, startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { SeededRandom, seedOf, until } from '../helpers/until.js';

let redis: TestRedis;
let database: TestDatabase;
let sidecars: TestSidecar[];
beforeEach(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecars = [];
});
afterEach(async () => {
  await Promise.all(sidecars.map((sidecar) => sidecar.stop()));
  await Promise.all([redis.stop(), database.drop()]);
});

const logger = pino({ level: 'silent' });
const poolLimits = { connectTimeoutMs: 5_000, connectionsMax: 2, statementTimeoutMs: 0 };

async function start(overrides: Partial<Config> = {}): Promise<TestSidecar> {
  const sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url }, overrides);
  sidecars.push(sidecar);
  return sidecar;
}

const credits = (...values: number[]) => values.map((value) => ({ unit: 'UNIT_CREDITS' as const, value }));

/** Which thresholds the lines went across, added up by the test. */
function crossedBy(ledger: readonly LedgerEntry__Output[], thresholds: readonly number[]): string[] {
  let before = 0;
  return ledger.flatMap((line) => {
    if (line.unit !== 'UNIT_CREDITS') return [];
    const after = Number(line.balanceAfter?.available);
    const down = thresholds.filter((one) => before > one && after <= one).sort((a, b) => b - a);
    const up = thresholds.filter((one) => before <= one && after > one).sort((a, b) => a - b);
    before = after;
    const text = (direction: string) => (threshold: number) => `${line.accountSeq} ${direction} ${threshold}`;
    return [...down.map(text('down')), ...up.map(text('up'))];
  });
}

describe('WatchBalance', () => {
  it('begins with the balance of each account, then says every change', async () => {
    const { client } = await start();
    const [one, other] = [await client.account('one', 1_000), await client.account('other')];
    const watcher = client.watch({ accounts: [{ accountId: one }, { accountId: other }] });
    expect(await watcher.through(one, 2)).toMatchObject({
      cursor: '2',
      balances: [{ unit: 'UNIT_CREDITS', available: '1000', held: '0', debt: '0' }],
      crossings: [],
    });
    expect(await watcher.through(other, 1)).toMatchObject({ cursor: '1', balances: [] });
    await client.record([usageEvent(one, 'e', 1_300)]);
    await client.topUp(other, 50, { unit: 'UNIT_TTS_CHARACTERS' });
    expect(await watcher.through(one, 3)).toMatchObject({ balances: [{ available: '0', debt: '300' }] });
    expect(await watcher.through(other, 2)).toMatchObject({
      balances: [{ unit: 'UNIT_TTS_CHARACTERS', available: '50' }],
    });
  });

  it('tells crossings downwards and upwards, each once, with the line that made them', async () => {
    const { client } = await start();
    const account = await client.account('crossing', 1_000);
    const watcher = client.watch({
      accounts: [{ accountId: account }],
      thresholds: [...credits(0, 500, 100), { unit: 'UNIT_TTS_CHARACTERS', value: 10 }],
    });
    await watcher.through(account, 2);
    await client.record([usageEvent(account, 'to-the-threshold', 500)]);
    await watcher.through(account, 3);
    await client.record([usageEvent(account, 'below-it', 1)]);
    await watcher.through(account, 4);
    await client.record([usageEvent(account, 'to-nothing', 499)]);
    await watcher.through(account, 5);
    await client.topUp(account, 100, { requestId: 'to-100' });
    await client.topUp(account, 401, { requestId: 'above-500' });
    await client.topUp(account, 11, { requestId: 'voice', unit: 'UNIT_TTS_CHARACTERS' });
    const last = await watcher.through(account, 8);
    expect(watcher.crossings(account)).toEqual([
      '3 down 500',
      '5 down 100',
      '5 down 0',
      '6 up 0',
      '7 up 100',
      '7 up 500',
      '8 up 10',
    ]);
    const [entry] = (await client.ledger(account)).slice(-1);
    expect(last.crossings.at(-1)).toMatchObject({
      unit: 'UNIT_TTS_CHARACTERS',
      available: '11',
      bookedTimeMs: entry?.bookedTimeMs,
    });
  });

  it('loses and repeats no crossing, however often the stream breaks and on whatever sidecar it goes on', async () => {
    const [first, second] = [await start(), await start()];
    const random = new SeededRandom(seedOf('watch'));
    let balance = 500;
    const account = await first.client.account('broken', balance);
    const thresholds = [0, 50, 100, 200, 400];
    const told: string[] = [];
    let cursor = '2';
    for (let cut = 0; cut < 5; cut++) {
      // Some of it happens while nobody watches.
      for (let part = 0; part < 2; part++) {
        const watching = part === 1;
        const { client } = random.pick([first, second]);
        const watcher = watching
          ? client.watch({ accounts: [{ accountId: account, cursor }], thresholds: credits(...thresholds) })
          : null;
        const steps = random.between(3, 12);
        for (let step = 0; step < steps; step++) {
          const id = `${cut}-${part}-${step}`;
          const amount = random.between(100, 300);
          const isUp = balance < 200;
          balance += isUp ? amount : -amount;
          if (isUp) await first.client.topUp(account, amount, { requestId: id });
          else await second.client.record([usageEvent(account, id, amount)], 'ACK_LEVEL_DURABLE');
        }
        if (watcher === null) continue;
        await watcher.through(account, Number(cursor) + random.between(1, steps));
        await watcher.cut();
        told.push(...watcher.crossings(account));
        cursor = watcher.last(account)?.cursor ?? cursor;
      }
    }
    const watcher = first.client.watch({
      accounts: [{ accountId: account, cursor }],
      thresholds: credits(...thresholds),
    });
    const ledger = await first.client.ledger(account);
    await watcher.through(account, ledger.length);
    told.push(...watcher.crossings(account));
    expect(told).toEqual(crossedBy(ledger, thresholds).slice(5));
    expect(told.length).toBeGreaterThan(20);
  });

  it('says several changes at once, and one update is enough for what is not read', async () => {
    const sidecar = await start();
    const { client } = sidecar;
    const names = Array.from({ length: 60 }, (_, i) => `slow-${i}`);
    const accounts = await Promise.all(names.map((name) => client.account(name, 1_000_000)));
    const thresholds = Array.from({ length: 16 }, (_, i) => 999_000 + i);
    const request = {
      accounts: accounts.map((accountId) => ({ accountId })),
      thresholds: credits(...thresholds),
    };
    const [watcher, quick] = [client.watch(request), client.watch(request)];
    await Promise.all(accounts.map((account) => watcher.through(account, 2)));
    watcher.call.pause();
    const sentToSlow = async (): Promise<number> => {
      const all = await metric(sidecar, 'drawdown_stream_messages_total', 'kind="balance"');
      return all - quick.updates.length;
    };
    let flips = 0;
    /** Every account goes down below all thresholds and up again. */
    const flip = async (): Promise<void> => {
      const requestId = `flip-${flips++}`;
      await client.record(accounts.map((account) => usageEvent(account, requestId, 1_100)));
      const topUp = { requestId, ackLevel: 'ACK_LEVEL_APPLIED' as const };
      await Promise.all(accounts.map((account) => client.topUp(account, 1_100, topUp)));
      await Promise.all(accounts.map((account) => quick.through(account, 2 + 2 * flips)));
    };
    const sent: number[] = [];
    await until('nothing more is written for the one that does not read', async () => {
      await flip();
      sent.push(await sentToSlow());
      return sent.length > 3 && sent.at(-1) === sent.at(-4);
    });
    const before = await sentToSlow();
    expect(await metric(sidecar, 'drawdown_stream_pauses_total', 'slow_reader')).toBeGreaterThan(0);
    for (let i = 0; i < 5; i++) await flip();
    const ledgers = await Promise.all(accounts.map((account) => client.ledger(account)));
    watcher.call.resume();
    for (const [i, account] of accounts.entries()) {
      const ledger = ledgers[i] as LedgerEntry__Output[];
      const last = await watcher.through(account, ledger.length);
      expect(last.balances).toMatchObject([{ available: '1000000' }]);
      expect(watcher.crossings(account)).toEqual(crossedBy(ledger, thresholds).slice(16));
    }
    // What happened while nobody read, ten lines of each account and more, came in one update each.
    expect(watcher.updates.length).toBeLessThanOrEqual(before + accounts.length);
  });

  it('sees what another sidecar commits, and gives up its accounts when the reader leaves', async () => {
    const [owner, reader] = [await start(), await start()];
    expect(await metric(owner, 'drawdown_partitions_owned')).toBe(4);
    const account = await owner.client.account('elsewhere', 100);
    const watcher = reader.client.watch({ accounts: [{ accountId: account }] });
    await watcher.through(account, 2);
    await owner.client.record([usageEvent(account, 'e', 40)]);
    expect(await watcher.through(account, 3)).toMatchObject({ balances: [{ available: '60' }] });
    expect(await metric(reader, 'drawdown_watched_accounts')).toBe(1);
    await watcher.cut();
    await until('it is forgotten', async () => (await metric(reader, 'drawdown_watched_accounts')) === 0);
  });

  it('is told to go on elsewhere when the sidecar stops', async () => {
    const [first, second] = [await start(), await start()];
    const account = await first.client.account('drained', 100);
    const watcher = first.client.watch({ accounts: [{ accountId: account }], thresholds: credits(50) });
    const { cursor } = await watcher.through(account, 2);
    const call = watcher.call;
    await first.stop();
    sidecars = [second];
    expect(watcher).toMatchObject({ drained: true, ended: 'OK' });
    expect(call.destroyed).toBe(true);
    await second.client.record([usageEvent(account, 'e', 60)]);
    const next = second.client.watch({
      accounts: [{ accountId: account, cursor }],
      thresholds: credits(50),
    });
    await next.through(account, 3);
    expect(next.crossings(account)).toEqual(['3 down 50']);
  });

  it('gives up a reader that reads nothing for streamIdleMs', async () => {
    const sidecar = await start({ streamIdleMs: 300 });
    const { client } = sidecar;
    const names = Array.from({ length: 60 }, (_, i) => `silent-${i}`);
    const accounts = await Promise.all(names.map((name) => client.account(name, 1_000_000)));
    const watcher = client.watch({ accounts: accounts.map((accountId) => ({ accountId })) });
    watcher.call.pause();
    await until('it is watched', async () => (await metric(sidecar, 'drawdown_watched_accounts')) === 60);
    let turns = 0;
    await until(
      'it is given up',
      async () => {
        await client.record(accounts.map((account) => usageEvent(account, `event-${turns}`, 1)));
        turns += 1;
        return (await metric(sidecar, 'drawdown_watched_accounts')) === 0;
      },
      50_000,
    );
    await until('nothing of it is left', async () => (await metric(sidecar, 'drawdown_open_streams')) === 0);
    watcher.call.resume();
    await until('it is told', () => watcher.ended !== undefined);
    expect(watcher.failure).toContain('RESOURCE_EXHAUSTED');
  });

  it('takes the thresholds of its configuration where a request names none', async () => {
    const { client } = await start();
    const account = await client.account('default', 100);
    const pool = createPool({ url: database.url, ...poolLimits, logger });
    const watermarks = new DurableWatermarks(4);
    const metrics = createMetrics({ processMetrics: false });
    const configured = new Map([['credits' as const, [40n, 60n]]]);
    const watches = new Watches(pool, watermarks, () => configured, metrics, logger);
    await client.record([usageEvent(account, 'e', 70)], 'ACK_LEVEL_DURABLE');
    const accounts = [{ accountId: account, cursor: 2 }];
    const crossings = async (thresholds: Thresholds | null): Promise<bigint[]> => {
      const watch = await watches.open({ accounts, thresholds });
      const update = await watch.next();
      watch.close();
      return (update?.crossings ?? []).map(({ threshold }) => threshold);
    };
    expect(await crossings(null)).toEqual([60n, 40n]);
    expect(await crossings(new Map([['credits', [50n]]]))).toEqual([50n]);
    await pool.end();
  });

  it('refuses what it cannot watch', async () => {
    const { client } = await start();
    await client.account('known');
    const failure = async (request: object): Promise<string> => {
      const watcher = client.watch({ accounts: [{ accountId: 'known' }], ...request });
      await until('it is refused', () => watcher.ended !== undefined);
      return watcher.failure;
    };
    const accounts = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ accountId: `account-${i}` }));
    const invalid = 'INVALID_ARGUMENT FIELD_INVALID';
    expect(await failure({ accounts: [] })).toBe(`${invalid} accounts`);
    expect(await failure({ accounts: accounts(101) })).toBe(`${invalid} accounts`);
    expect(await failure({ accounts: [{ accountId: 'a b' }] })).toBe(`${invalid} accounts[0].account_id`);
    expect(await failure({ accounts: [{ accountId: 'known' }, { accountId: 'nobody' }] })).toBe(
      'NOT_FOUND ACCOUNT_UNKNOWN accounts[1].account_id',
    );
    expect(await failure({ accounts: [{ accountId: 'known' }, { accountId: 'known' }] })).toBe(
      `${invalid} accounts[1].account_id`,
    );
    expect(await failure({ accounts: [{ accountId: 'known', cursor: 2 }] })).toBe(
      `${invalid} accounts[0].cursor`,
    );
    expect(await failure({ thresholds: [{ unit: 'UNIT_UNSPECIFIED', value: 1 }] })).toBe(
      `${invalid} thresholds[0].unit`,
    );
    const many = credits(...Array.from({ length: 17 }, (_, i) => i));
    expect(await failure({ thresholds: many })).toBe(`${invalid} thresholds`);
  });
});
