/** Verification finds what was changed by hand in Postgres, and nothing where nothing was. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ENTRY_COLUMNS } from '../../src/postgres/entry-row.js';
import {
  type Checkpoint,
  checkpointOf,
  checkpointText,
  type VerifyReport,
  verifyInstallation,
} from '../../src/verify/index.js';
import { sql } from '../helpers/audit.js';
import { usageEvent } from '../helpers/client.js';
import { type Scene, startScene } from './verify-scene.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene.stop());

describe('beside traffic', () => {
  it('is clean while events, holds and top-ups go on', async () => {
    const { client } = scene.sidecar;
    let going = true;
    const traffic = (async () => {
      for (let round = 0; going; round++) {
        const events = Array.from({ length: 20 }, (_, i) => usageEvent('epsilon', `r${round}-${i}`, 1));
        await Promise.all([
          client.record(events),
          client.record([usageEvent('beta', `r${round}`, 1)], 'ACK_LEVEL_DURABLE'),
          client.reserve('acme', `r${round}`, 10).then(() => client.settle('acme', `r${round}`, 7)),
        ]);
      }
    })();
    for (let i = 0; i < 3; i++) {
      const report = await scene.verify();
      expect(report.problems).toEqual([]);
      expect(report).toMatchObject({ clean: true, accounts: 5, driftMicros: 0n, missing: 0, doubled: 0 });
      expect(report.comparedWithRedis + report.moving).toBe(5);
    }
    going = false;
    await traffic;
  });

  it('the ledger gets its next month while somebody reads it, and everybody reads on', async () => {
    const connect = async () => {
      const connection = new pg.Client({ connectionString: scene.database.url });
      await connection.connect();
      await connection.query(`SET lock_timeout = '2s'`);
      return connection;
    };
    const [reader, flusher, other] = await Promise.all([connect(), connect(), connect()]);
    const count = async (connection: pg.Client) =>
      Number((await connection.query(`SELECT count(*) AS n FROM entries`)).rows[0].n);
    try {
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const lines = await count(reader);
      await flusher.query('BEGIN');
      await flusher.query(`SELECT ensure_entries_month(203012)`);
      expect(await count(other)).toBeGreaterThanOrEqual(lines);
      await flusher.query('COMMIT');
      expect(await count(reader)).toBe(lines);
      // It refuses an id that it has, like every other month.
      const { rows } = await other.query(
        `SELECT count(*)::integer AS indexes, bool_or(indisunique) AS once FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid
         WHERE indrelid = 'entries_203012'::regclass`,
      );
      expect(rows).toEqual([{ indexes: 4, once: true }]);
    } finally {
      await Promise.all([reader.end(), flusher.end(), other.end()]);
    }
  });
});

describe('at rest', () => {
  const TABLES = [
    'entries',
    'flushes',
    'accounts',
    'wallets',
    'lots',
    'holds',
    'partitions',
    'epochs',
    'catalog_versions',
  ];
  /** A line of usage in the middle of an account's life. */
  const victim = `account_key = (SELECT account_key FROM accounts WHERE account_id = 'acme') AND kind = 'usage' AND id = 'e7'`;
  let place: { accountSeq: number; partition: number; seq: number };

  beforeAll(async () => {
    await scene.sidecar.stop();
    for (const table of TABLES)
      await sql(scene.database.url, `CREATE TABLE saved_${table} AS SELECT * FROM ${table}`);
    const [row] = await sql(
      scene.database.url,
      `SELECT account_seq, partition, seq FROM entries WHERE ${victim}`,
    );
    place = {
      accountSeq: Number(row?.account_seq),
      partition: Number(row?.partition),
      seq: Number(row?.seq),
    };
  });

  async function restore(): Promise<void> {
    const statements = TABLES.map(
      (table) => `DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM saved_${table};`,
    );
    await sql(scene.database.url, statements.join('\n'));
  }

  it('is clean, and has compared every account', async () => {
    const report = await scene.verify();
    expect(report.problems).toEqual([]);
    const [counts] = await sql(
      scene.database.url,
      'SELECT (SELECT count(*) FROM entries) AS lines, (SELECT count(*) FROM flushes) AS flushes, (SELECT count(*) FROM holds) AS holds',
    );
    expect(report).toEqual({
      clean: true,
      accounts: 5,
      lines: Number(counts?.lines),
      flushes: Number(counts?.flushes),
      holds: Number(counts?.holds),
      comparedWithRedis: 5,
      moving: 0,
      driftMicros: 0n,
      missing: 0,
      doubled: 0,
      setAsideRecords: 0,
      parts: [
        { step: 'flushes', through: '', asOf: expect.any(String) },
        { step: 'accounts', through: '', asOf: expect.any(String) },
        { step: 'redis', through: '', asOf: expect.any(String) },
      ],
      problemsTotal: 0,
      problems: [],
    });
    expect(report.holds).toBeGreaterThanOrEqual(5);
    const lineKinds = await sql(scene.database.url, 'SELECT DISTINCT kind FROM entries ORDER BY kind');
    expect(lineKinds.map((row) => row.kind)).toEqual([
      'account_created',
      'account_status',
      'conversion',
      'conversion_grant',
      'duplicate',
      'expire_lot',
      'grant',
      'hold_expired',
      'lot_expired',
      'release',
      'reversal',
      'settle',
      'usage',
    ]);
  });

  describe('after one column of one ledger line was changed by hand', () => {
    afterEach(restore);

    /** What else a column may hold, by its type. */
    function changed(column: string, type: string): string {
      if (type === 'text') return `${column} || 'x'`;
      if (type === 'json') return `'{"input_tokens":108}'::json`;
      if (type === 'timestamp with time zone') return `${column} + interval '1 microsecond'`;
      return `${column} + ${column === 'account_key' ? 1_000 : 1}`;
    }

    it.each(ENTRY_COLUMNS.map((column) => [column]))('%s', async (column) => {
      const [found] = await sql(
        scene.database.url,
        `SELECT data_type, (SELECT event_month FROM entries WHERE ${victim}) AS month FROM information_schema.columns WHERE table_name = 'entries' AND column_name = $1`,
        [column],
      );
      await sql(scene.database.url, `SELECT ensure_entries_month(${Number(found?.month) + 1})`);
      const type = String(found?.data_type);
      await sql(
        scene.database.url,
        `UPDATE entries SET ${column} = ${changed(column, type)} WHERE ${victim}`,
      );
      const report = await scene.verify();
      expect(report.clean).toBe(false);
      const moved: readonly string[] = ['account_key', 'account_seq', 'partition', 'epoch', 'seq'];
      const named = report.problems.filter(({ check }) => check === 'checksum');
      expect(named).toHaveLength(1);
      if (moved.includes(column)) {
        expect(report.problems.some(({ account }) => account === 'acme')).toBe(true);
      } else {
        expect(named[0]).toMatchObject({ account: 'acme', ...place });
      }
    });

    it('a changed charge is found by its arithmetic too, whatever its checksum says', async () => {
      await sql(scene.database.url, `UPDATE entries SET spent = spent + 5 WHERE ${victim}`);
      const report = await scene.verify();
      const checks = new Set(report.problems.map(({ check }) => check));
      expect([...checks].sort()).toEqual(['balances', 'checksum', 'conservation', 'flushes', 'price']);
      for (const check of ['checksum', 'conservation', 'price']) {
        expect(report.problems.find((problem) => problem.check === check)).toMatchObject({
          account: 'acme',
          ...place,
        });
      }
      expect(report.driftMicros).toBe(5n);
    });
  });

  /** What was done, and which check must say what. */
  const damages: readonly [what: string, statement: string, check: string, message: RegExp][] = [
    [
      'a deleted line',
      `DELETE FROM entries WHERE ${victim}`,
      'numbers',
      /^line \d+ missing before this line$/,
    ],
    [
      'a deleted line, in its flush',
      `DELETE FROM entries WHERE ${victim}`,
      'flushes',
      /wrote \d+ lines, \d+ are there/,
    ],
    [
      'the last line of an account deleted',
      `DELETE FROM entries WHERE (account_key, account_seq) = (SELECT account_key, entries FROM accounts WHERE account_id = 'acme')`,
      'balances',
      /^the ledger ends at line \d+, the account at \d+$/,
    ],
    [
      'a deleted flush',
      'DELETE FROM flushes WHERE (partition, from_seq) = (SELECT partition, min(from_seq) FROM flushes GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)',
      'flushes',
      /^seq 1 to \d+ is in no flush$/,
    ],
    [
      'the last flush deleted',
      'DELETE FROM flushes WHERE (partition, from_seq) = (SELECT partition, max(from_seq) FROM flushes GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)',
      'flushes',
      /^the cursor is at seq \d+, the last flush ends at \d+$/,
    ],
    [
      'a changed raw hash',
      `UPDATE flushes SET raw_hash = '\\x00' WHERE from_seq = 1`,
      'flushes',
      /does not continue the chain/,
    ],
    [
      'a changed hash of lines',
      `UPDATE flushes SET rows_hash = '\\x00' WHERE from_seq = 1`,
      'flushes',
      /wrote other lines/,
    ],
    [
      'a flush of another format',
      'UPDATE flushes SET format = 2 WHERE from_seq = 1',
      'flushes',
      /has format 2, this version knows 1$/,
    ],
    ['a changed chain at the cursor', `UPDATE partitions SET chain = '\\x00'`, 'flushes', /cursor's chain/],
    [
      'lines whose flush is deleted',
      'DELETE FROM flushes WHERE (partition, from_seq) = (SELECT partition, min(from_seq) FROM flushes GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)',
      'flushes',
      /^\d+ lines in no flush, the first at seq \d+$/,
    ],
    [
      'another record at the cursor',
      `UPDATE partitions SET record_hash = '\\x00' WHERE record_hash IS NOT NULL`,
      'journal',
      /^the journal's record at the cursor is not the one that Postgres has$/,
    ],
    [
      'a cursor that went back',
      'UPDATE partitions SET seq = seq - 1 WHERE seq > 0',
      'flushes',
      /^the cursor is at seq/,
    ],
    [
      'a changed lot',
      'UPDATE lots SET remaining = remaining + 1 WHERE remaining > 0',
      'balances',
      /^credits: lot \d+ has \d+ remaining, the ledger says \d+$/,
    ],
    [
      'units held by nobody',
      'UPDATE lots SET held = held + 1 WHERE remaining > held',
      'balances',
      /holds \d+, the open holds \d+$/,
    ],
    [
      'a changed debt',
      `UPDATE wallets SET debt = debt + 1 WHERE unit = 'credits'`,
      'balances',
      /^credits: debt is \d+ in the ledger, \d+ in the wallet$/,
    ],
    [
      'a changed total',
      'UPDATE wallets SET expired = expired + 1',
      'balances',
      /add up to expired \d+, the wallet says \d+$/,
    ],
    [
      'a total beyond 2^53',
      'UPDATE wallets SET granted = 9223372036854775807',
      'balances',
      /the wallet says 9223372036854775807$/,
    ],
    [
      'a deleted wallet',
      `DELETE FROM wallets WHERE unit = 'tts_characters'`,
      'balances',
      /^the wallet of tts_characters is missing$/,
    ],
    ['a deleted hold', 'DELETE FROM holds', 'balances', /^0 open holds, the account says/],
    [
      'a changed hold',
      'UPDATE holds SET held = held + 1',
      'balances',
      /^hold open: its columns and its state differ$/,
    ],
    [
      'an unreadable hold',
      `UPDATE holds SET state = '\\x00'`,
      'balances',
      /^hold open: its state is not readable$/,
    ],
    [
      'a later expiry',
      'UPDATE accounts SET next_due_ms = next_due_ms + 1',
      'balances',
      /^a lot expires or the plan changes at/,
    ],
    [
      'a deleted account',
      `DELETE FROM accounts WHERE account_id = 'acme'`,
      'balances',
      /^lines of an account that is not there$/,
    ],
    [
      'wallets of nobody',
      `DELETE FROM accounts WHERE account_id = 'acme'`,
      'balances',
      /^wallets of an account that is not there$/,
    ],
    [
      'a renamed account',
      `UPDATE accounts SET account_id = 'acme2' WHERE account_id = 'acme'`,
      'redis',
      /Postgres does not know it/,
    ],
    [
      'a changed price',
      `UPDATE catalog_versions SET content = replace(content::text, '0.15', '0.16')::json`,
      'price',
      /^catalog version 1 is not what was published/,
    ],
    [
      'a catalog that is none',
      `UPDATE catalog_versions SET content = '{}'`,
      'price',
      /^catalog version 1 is no catalog$/,
    ],
    [
      'an account in a foreign partition',
      `UPDATE accounts SET partition = (partition + 1) % 4 WHERE account_id = 'acme'`,
      'balances',
      /^the account belongs to another partition$/,
    ],
    ['a lost cursor', 'DELETE FROM partitions', 'flushes', /^0 cursors for 4 partitions$/],
    [
      'what belongs to a lost cursor',
      'DELETE FROM partitions',
      'flushes',
      /^flushes or lines of a partition without a cursor$/,
    ],
    [
      'a reversal of nothing',
      `UPDATE entries SET note = '{"corrects":"usage/nothing"}' WHERE kind = 'reversal' AND id = 'reverse'`,
      'corrections',
      /^a reversal of usage\/nothing, which is not there$/,
    ],
    [
      'a reversal of another charge',
      `UPDATE entries SET note = '{"corrects":"usage/e8"}' WHERE kind = 'reversal' AND id = 'reverse'`,
      'corrections',
      /^a reversal of usage\/e8 with spent -107, which took 108$/,
    ],
    [
      'a charge that is reversed twice',
      `UPDATE entries SET note = '{"corrects":"usage/e7"}' WHERE kind = 'reversal' AND id = 'reverse-hold'`,
      'corrections',
      /^2 lines of kind reversal of usage\/e7$/,
    ],
    [
      'a rerating of what had a price',
      `UPDATE entries SET kind = 'rerate' WHERE kind = 'reversal' AND id = 'reverse'`,
      'corrections',
      /^a rerate of usage\/e7, which was not booked unrated in this wallet$/,
    ],
    [
      'another status',
      `UPDATE accounts SET status = 3 WHERE account_id = 'beta'`,
      'balances',
      /^the lines leave status 1, the account has 3$/,
    ],
    [
      'an epoch that ended earlier than its flushes',
      'UPDATE epochs SET last_seq = 1, closed_at = now()',
      'flushes',
      /^a flush of seq \d+ to \d+ lies outside of epoch 1$/,
    ],
    [
      'the open epoch closed',
      'UPDATE epochs SET closed_at = now()',
      'flushes',
      /^epoch 1 has no last seq, and is closed$/,
    ],
    [
      'other keys admitted than Redis has',
      `UPDATE epochs SET token = 'other'`,
      'journal',
      /^Redis holds other keys of epoch 1 than Postgres admitted$/,
    ],
    ['a missing catalog', 'DELETE FROM catalog_versions', 'price', /^catalog version 1 is not there$/],
  ];

  describe('after damage by hand', () => {
    afterEach(restore);

    it.each(damages)('%s', async (_, statement, check, message) => {
      await sql(scene.database.url, statement);
      const { clean, problems } = await scene.verify();
      expect(clean).toBe(false);
      const messages = problems
        .filter((problem) => problem.check === check)
        .map((problem) => problem.message);
      expect(messages).toContainEqual(expect.stringMatching(message));
    });

    it('counts missing lines, also at the end of an account', async () => {
      await sql(scene.database.url, `DELETE FROM entries WHERE ${victim}`);
      await sql(
        scene.database.url,
        `DELETE FROM entries WHERE (account_key, account_seq) = (SELECT account_key, entries FROM accounts WHERE account_id = 'beta')`,
      );
      expect((await scene.verify()).missing).toBe(2);
    });

    it('a line copied into another month is an id twice', async () => {
      const [row] = await sql(scene.database.url, `SELECT event_month AS month FROM entries WHERE ${victim}`);
      const next = Number(row?.month) + 1;
      await sql(scene.database.url, `SELECT ensure_entries_month(${next})`);
      const columns = ENTRY_COLUMNS.map((column) => (column === 'event_month' ? String(next) : column));
      await sql(
        scene.database.url,
        `INSERT INTO entries (${ENTRY_COLUMNS}) SELECT ${columns} FROM entries WHERE ${victim}`,
      );
      const report = await scene.verify();
      expect(report.problems).toContainEqual(
        expect.objectContaining({ check: 'once', account: 'acme', message: 'usage e7 is there 2 times' }),
      );
      expect(report.problems).toContainEqual(
        expect.objectContaining({ check: 'numbers', message: `a second line of number ${place.accountSeq}` }),
      );
      expect(report.doubled).toBe(2);
    });

    it('keeps a bounded number of problems and counts all', async () => {
      await sql(scene.database.url, `UPDATE entries SET flags = flags || 'x'`);
      const report = await scene.verify(8);
      expect(report.problems.length).toBeLessThanOrEqual(8);
      expect(report.problemsTotal).toBeGreaterThan(100);
      expect((await scene.verify(2)).problems).toHaveLength(2);
    });
  });

  it('says how many records were set aside, which is no problem', async () => {
    await sql(
      scene.database.url,
      `INSERT INTO set_aside_records (partition, epoch, first_seq, last_seq, hash, fields) VALUES (0, 1, 1, 2, '\\x00', '{}')`,
    );
    expect(await scene.verify()).toMatchObject({ clean: true, setAsideRecords: 1 });
    await sql(scene.database.url, 'DELETE FROM set_aside_records');
  });

  describe('in parts, interrupted after each', () => {
    afterEach(restore);

    /** Every run ends with its first part; the next one knows only what that wrote down. */
    async function inParts(
      linesPerPartMax: number,
    ): Promise<{ report: VerifyReport; interruptions: number }> {
      const { pool, connection } = scene;
      let written: string | null = null;
      for (let interruptions = 0; ; interruptions++) {
        const stop = new AbortController();
        const from = written === null ? null : checkpointOf(written);
        expect(from === null).toBe(interruptions === 0);
        const onCheckpoint = (checkpoint: Checkpoint): void => {
          written = checkpointText(checkpoint);
          stop.abort(new Error('interrupted'));
        };
        const options = { pool, connection, redisKeyPrefix: 'drawdown', linesPerPartMax };
        try {
          const report = await verifyInstallation({
            ...options,
            ...(from === null ? {} : { from }),
            onCheckpoint,
            signal: stop.signal,
          });
          return { report, interruptions };
        } catch (error) {
          if (!(error instanceof Error) || error.message !== 'interrupted') throw error;
        }
      }
    }

    it.each<[what: string, statement: string]>([
      ['nothing wrong', 'SELECT 1'],
      ['a deleted line', `DELETE FROM entries WHERE ${victim}`],
      [
        'a deleted flush',
        'DELETE FROM flushes WHERE (partition, from_seq) = (SELECT partition, min(from_seq) FROM flushes GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)',
      ],
      ['a changed chain', `UPDATE flushes SET chain = '\\x00' WHERE from_seq = 1`],
      ['a changed charge', `UPDATE entries SET spent = spent + 5 WHERE ${victim}`],
      ['a changed lot', 'UPDATE lots SET remaining = remaining + 1 WHERE remaining > 0'],
      ['a deleted account', `DELETE FROM accounts WHERE account_id = 'acme'`],
      ['a lost cursor', 'DELETE FROM partitions WHERE partition > 1'],
      [
        'a reversal of another charge',
        `UPDATE entries SET note = '{"corrects":"usage/e8"}' WHERE kind = 'reversal' AND id = 'reverse'`,
      ],
    ])('it says the same as a run in one piece: %s', async (_, statement) => {
      await sql(scene.database.url, statement);
      const whole = await scene.verify();
      const { report, interruptions } = await inParts(60);
      const text = ({ problems }: VerifyReport) => problems.map((problem) => JSON.stringify(problem)).sort();
      expect(text(report)).toEqual(text(whole));
      const { problems: _problems, parts, ...counts } = report;
      expect(whole).toMatchObject(counts);
      expect(interruptions).toBeGreaterThan(4);
      expect(parts.length).toBeGreaterThan(4);
      const [first] = parts;
      const last = parts.at(-1);
      expect([first?.step, last?.step]).toEqual(['flushes', 'redis']);
    });

    it('what another installation wrote, or nobody, is refused', async () => {
      const { pool, connection } = scene;
      let written = '';
      await verifyInstallation({
        pool,
        connection,
        redisKeyPrefix: 'drawdown',
        onCheckpoint: (checkpoint) => {
          written = checkpointText(checkpoint);
        },
      });
      const from = checkpointOf(written.replace(/"installation": "[^"]+"/, '"installation": "other"'));
      await expect(
        verifyInstallation({ pool, connection, redisKeyPrefix: 'drawdown', from: from as Checkpoint }),
      ).rejects.toThrow(/^it was begun on installation other/);
      for (const text of ['', '{}', written.replace('"format": 1', '"format": 2'), written.slice(0, -3)])
        expect(checkpointOf(text)).toBeNull();
    });
  });

  it('rejects where it cannot look', async () => {
    const [, name] = /\/(test_\w+)/.exec(scene.database.url) ?? [];
    const empty = new pg.Pool({
      connectionString: scene.database.url.replace(`${name}`, 'postgres'),
      max: 3,
    });
    await expect(
      verifyInstallation({ pool: empty, connection: scene.connection, redisKeyPrefix: 'drawdown' }),
    ).rejects.toThrow('there is no installation in this Postgres');
    await empty.end();
    const stopped = AbortSignal.abort(new Error('interrupted'));
    const options = {
      pool: scene.pool,
      connection: scene.connection,
      redisKeyPrefix: 'drawdown',
      signal: stopped,
    };
    await expect(verifyInstallation(options)).rejects.toThrow('interrupted');
    expect((await scene.verify()).clean).toBe(true);
  });
});
