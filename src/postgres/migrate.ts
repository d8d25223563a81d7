import { runner } from 'node-pg-migrate';
import type { Pool } from 'pg';
import { migrationsDirectory } from '../paths.js';

/** Applies the migrations that are missing, under an advisory lock; returns their names in order. */
export async function migrate(pool: Pool): Promise<string[]> {
  const client = await pool.connect();
  try {
    const applied = await runner({
      dbClient: client,
      dir: migrationsDirectory,
      direction: 'up',
      migrationsTable: 'migrations',
      log: () => undefined,
    });
    return applied.map((migration) => migration.name);
  } finally {
    client.release();
  }
}
