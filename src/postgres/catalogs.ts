import type { Pool } from 'pg';

export interface CatalogVersion {
  readonly version: number;
  readonly hash: string;
  /** Canonical JSON. */
  readonly json: string;
  readonly publishedMs: number;
}

/** All versions, oldest first. */
export async function readCatalogVersions(pool: Pool): Promise<CatalogVersion[]> {
  const { rows } = await pool.query<{ version: number; hash: string; json: string; published_at: Date }>(
    `SELECT version, hash, content::text AS json, published_at FROM catalog_versions ORDER BY version`,
  );
  return rows.map((row) => ({
    version: row.version,
    hash: row.hash,
    json: row.json,
    publishedMs: row.published_at.getTime(),
  }));
}

/** Makes version 1 of an empty installation; does nothing where there is a version already. */
export async function seedCatalog(pool: Pool, json: string, hash: string): Promise<void> {
  await pool.query(
    `INSERT INTO catalog_versions (version, hash, content)
     SELECT 1, $1, $2::json WHERE NOT EXISTS (SELECT FROM catalog_versions) ON CONFLICT (version) DO NOTHING`,
    [hash, json],
  );
}
