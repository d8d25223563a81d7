/** The catalogs that one sidecar holds: what it follows, keeps and says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { seedFromFile } from '../../src/credits/catalog-seed.js';
import { readCatalogText } from '../../src/credits/catalog-text.js';
import { createMetrics } from '../../src/metrics.js';
import { packageRoot } from '../../src/paths.js';
import { publishCatalog } from '../../src/postgres/catalogs.js';
import { migrate } from '../../src/postgres/migrate.js';
import { createPool, type Pool } from '../../src/postgres/pool.js';
import { Catalogs } from '../../src/usage/catalogs.js';
import { sql } from '../helpers/audit.js';
import { createDatabase, type TestDatabase } from '../helpers/stores.js';
import { until } from '../helpers/until.js';

const file = join(packageRoot, 'catalog.yaml');

let database: TestDatabase;
let pool: Pool;
let logged: Record<string, unknown>[];
let catalogs: Catalogs;

const logger = () => pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) });

beforeEach(async () => {
  logged = [];
  database = await createDatabase();
  pool = createPool({
    url: database.url,
    connectTimeoutMs: 2_000,
    connectionsMax: 8,
    statementTimeoutMs: 5_000,
    logger: pino({ level: 'silent' }),
  });
  await migrate(pool);
  await seedFromFile(pool, file);
  catalogs = await Catalogs.load(pool, createMetrics({ processMetrics: false }), logger());
});
afterEach(async () => {
  await catalogs.stop();
  await pool.end();
  await database.drop();
});

/** Another content with every number: the source of the first model. */
async function publish(number: number): Promise<void> {
  const json = catalogs.current().json.replace(/"source":"[^"]*"/, `"source":"sheet ${number}"`);
  const request = { requestId: `p${number}`, json, hash: `hash ${number}`, publishedBy: 'ops' };
  expect(await publishCatalog(pool, request)).toMatchObject({ made: true });
}

const insertFuture = (version: number) =>
  sql(
    database.url,
    `INSERT INTO catalog_versions (version, hash, content, published_by) VALUES ($1, 'x', '{"format":2}', 'later')`,
    [version],
  );

it('an installation without a version that can be read does not start, and says why', async () => {
  await sql(database.url, `UPDATE catalog_versions SET content = '{"format":2}'`);
  const load = Catalogs.load(pool, createMetrics({ processMetrics: false }), logger());
  await expect(load).rejects.toThrow(
    'catalog version 1 cannot be read by this sidecar: stored catalog:1:1 format: must be 1',
  );
});

it('a version of an unknown format is said in the log, once, and the one before it comes into force', async () => {
  await publish(2);
  await insertFuture(3);
  await catalogs.refresh();
  await catalogs.refresh();
  expect(catalogs.current().version).toBe(2);
  const errors = logged.filter(({ level }) => level === 50);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ newest: 3, inForce: 2 });
  expect(errors[0]?.msg).toBe(catalogs.warning);
  expect(catalogs.warning).toContain('version 2 stays in force');
  await expect(catalogs.version(3)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

it('what is in force stays while Postgres is away, and is followed once it is back', async () => {
  catalogs.follow();
  await sql(database.url, 'ALTER TABLE catalog_versions RENAME TO away');
  await until('it is noticed', () => logged.some(({ msg }) => msg === 'catalog versions could not be read'));
  expect(catalogs.current().version).toBe(1);
  await expect(catalogs.version(9)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await sql(database.url, 'ALTER TABLE away RENAME TO catalog_versions');
  await publish(2);
  await until('the new version is in force', () => catalogs.current().version === 2);
});

it('older versions are there for holds, whatever their number, and memory keeps some of them', async () => {
  for (let number = 2; number <= 40; number++) await publish(number);
  await catalogs.refresh();
  expect(catalogs.current().version).toBe(40);
  for (const number of [1, 2, 39, 17, 1]) {
    const found = await catalogs.version(number);
    expect([found?.version, found?.compiled.version]).toEqual([number, number]);
  }
  for (let number = 1; number <= 40; number++) await catalogs.version(number);
  await sql(database.url, 'ALTER TABLE catalog_versions RENAME TO away');
  const kept: number[] = [];
  for (let number = 1; number <= 40; number++) {
    await catalogs.version(number).then(
      () => kept.push(number),
      () => undefined,
    );
  }
  // The one in force and the 24 that were wanted last.
  expect(kept).toEqual(Array.from({ length: 25 }, (_, i) => i + 16));
  await sql(database.url, 'ALTER TABLE away RENAME TO catalog_versions');
  expect(await catalogs.version(41)).toBeNull();
});

it('sidecars that publish at the same moment make one version after the other, and one for one request', async () => {
  const json = catalogs.current().json;
  const publications = await Promise.all(
    Array.from({ length: 12 }, (_, i) => {
      // Every content comes twice, by the same request.
      const number = i % 6;
      const request = { requestId: `p${number}`, json, hash: `hash ${number}`, publishedBy: 'ops' };
      return publishCatalog(pool, request);
    }),
  );
  const made = publications.flatMap((publication) => (publication.kind === 'answered' ? [publication] : []));
  const first = made.filter(({ duplicate }) => !duplicate).map(({ version }) => version.version);
  expect(first.sort()).toEqual([2, 3, 4, 5, 6, 7]);
  expect(made.filter(({ duplicate }) => duplicate)).toHaveLength(6);
});

it('a version that many holds ask for at once is read once', async () => {
  await publish(2);
  catalogs = await Catalogs.load(pool, createMetrics({ processMetrics: false }), logger());
  const found = await Promise.all(Array.from({ length: 20 }, () => catalogs.version(1)));
  expect(new Set(found).size).toBe(1);
  expect(found[0]?.version).toBe(1);
});

it('texts wait for their turn, and are refused where too many do', async () => {
  const text = readFileSync(file, 'utf8');
  const reads = Array.from({ length: 8 }, (_, i) => readCatalogText(i === 3 ? 'format: 1' : text));
  await expect(readCatalogText(text)).rejects.toMatchObject({
    code: 'LIMIT_REACHED',
    message: expect.stringContaining('catalogTextsWaitingMax'),
  });
  const results = await Promise.all(reads);
  expect(results.map((result) => 'problems' in result)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((i) => i === 3));
  expect(results[0]).toEqual({ json: catalogs.current().json, hash: catalogs.current().hash });
  expect(await readCatalogText('')).toMatchObject({ problems: [{ message: 'the catalog is empty' }] });
});

it('an installation that has versions is not seeded again', async () => {
  await publish(2);
  await seedFromFile(pool, file);
  expect(await sql(database.url, 'SELECT count(*) FROM catalog_versions')).toEqual([{ count: '2' }]);
});
