/** Migrations, where several sidecars come to them at once. */
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { migrate } from '../../src/postgres/migrate.js';
import { createPool } from '../../src/postgres/pool.js';
import { createDatabase } from '../helpers/stores.js';

it('sidecars that start at once migrate once: one does it, the others wait and find it done', async () => {
  const database = await createDatabase('empty');
  const pool = createPool({
    url: database.url,
    connectTimeoutMs: 5_000,
    connectionsMax: 4,
    statementTimeoutMs: 30_000,
    logger: pino({ level: 'silent' }),
  });
  try {
    const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(pool)));
    expect(applied.filter((names) => names.length > 0)).toEqual([['001_initial']]);
  } finally {
    await pool.end();
    await database.drop();
  }
});
