import { runner } from 'node-pg-migrate';
import type { Pool } from 'pg';
import { migrationsDirectory } from '../paths.js';

/** Applies the migrations that are missing, under an advisory lock for which sidecars that start at once wait; returns their names in order. */
export async function migrate(pool: Pool): Promise<string[]> {
  const client = await pool.connect();
  try {
    const applied = await runner({
      dbClient: client,
      dir: migrationsDirectory,
      direction: 'up',
      migrationsTable: 'migrations',
      advisoryLockMode: 'wait',
      log: () => undefined,
    });
    return applied.map((migration) => migration.name);
  } finally {
    client.release();
  }
}
