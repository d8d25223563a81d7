import type { Pool, PoolClient } from 'pg';

/** A version without its content. */
export interface CatalogVersionRow {
  readonly version: number;
  /** sha-256 of the content, in hex. */
  readonly hash: string;
  readonly publishedBy: string;
  readonly publishedMs: number;
}

export interface StoredCatalog extends CatalogVersionRow {
  /** Canonical JSON. */
  readonly json: string;
}

interface Row {
  version: number;
  hash: string;
  published_by: string;
  published_at: Date;
}

function versionOf(row: Row): CatalogVersionRow {
  const { version, hash, published_by, published_at } = row;
  return { version, hash, publishedBy: published_by, publishedMs: published_at.getTime() };
}

/** The highest version; 0 where there is none. */
export async function readNewestCatalogVersion(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ version: number }>({
    name: 'read_newest_catalog_version',
    text: `SELECT coalesce(max(version), 0) AS version FROM catalog_versions`,
  });
  return rows[0]?.version ?? 0;
}

export async function readCatalog(pool: Pool, version: number): Promise<StoredCatalog | null> {
  const { rows } = await pool.query<Row & { json: string }>(
    `SELECT version, hash, published_by, published_at, content::text AS json FROM catalog_versions WHERE version = $1`,
    [version],
  );
  const row = rows[0];
  return row === undefined ? null : { ...versionOf(row), json: row.json };
}

/** Versions below one (0: all), newest first. */
export async function readCatalogVersions(
  pool: Pool,
  { below, countMax }: { below: number; countMax: number },
): Promise<CatalogVersionRow[]> {
  const { rows } = await pool.query<Row>(
    `SELECT version, hash, published_by, published_at FROM catalog_versions
     WHERE $1 = 0 OR version < $1 ORDER BY version DESC LIMIT $2`,
    [below, countMax],
  );
  return rows.map(versionOf);
}

/** Makes version 1 of an empty installation; does nothing where there is a version already. */
export async function seedCatalog(
  pool: Pool,
  { json, hash, publishedBy }: Pick<StoredCatalog, 'json' | 'hash' | 'publishedBy'>,
): Promise<void> {
  await pool.query(
    `INSERT INTO catalog_versions (version, hash, content, published_by)
     SELECT 1, $1, $2::json, $3 WHERE NOT EXISTS (SELECT FROM catalog_versions) ON CONFLICT (version) DO NOTHING`,
    [hash, json, publishedBy],
  );
}

export interface CatalogRequest {
  readonly requestId: string;
  readonly json: string;
  readonly hash: string;
  readonly publishedBy: string;
}

export type CatalogPublication =
  | { readonly kind: 'conflict' }
  | {
      readonly kind: 'answered';
      /** The version that this request made or found. */
      readonly version: CatalogVersionRow;
      readonly made: boolean;
      /** By an earlier call with this request id. */
      readonly duplicate: boolean;
    };

/**
 * Adds the next version where the newest has another content, and remembers the request: one transaction, one at a time
 * in the whole installation. A request that was answered before changes nothing.
 */
export async function publishCatalog(pool: Pool, request: CatalogRequest): Promise<CatalogPublication> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE catalog_versions IN SHARE ROW EXCLUSIVE MODE');
    const publication = (await answeredBefore(client, request)) ?? (await answer(client, request));
    await client.query('COMMIT');
    client.release();
    return publication;
  } catch (error) {
    // Whether a COMMIT is under way is not known: the connection must not be used again.
    client.release(true);
    throw error;
  }
}

async function answeredBefore(
  client: PoolClient,
  { requestId, hash, publishedBy }: CatalogRequest,
): Promise<CatalogPublication | null> {
  const { rows } = await client.query<Row & { same: boolean; made_version: boolean }>(
    `SELECT r.hash = $2 AND r.published_by = $3 AS same, r.made_version, v.version, v.hash, v.published_by, v.published_at
     FROM catalog_requests r JOIN catalog_versions v USING (version) WHERE r.request_id = $1`,
    [requestId, hash, publishedBy],
  );
  const row = rows[0];
  if (row === undefined) return null;
  if (!row.same) return { kind: 'conflict' };
  return { kind: 'answered', version: versionOf(row), made: row.made_version, duplicate: true };
}

async function answer(
  client: PoolClient,
  { requestId, json, hash, publishedBy }: CatalogRequest,
): Promise<CatalogPublication> {
  const newest = `(SELECT * FROM catalog_versions ORDER BY version DESC LIMIT 1) newest`;
  const inserted = await client.query<Row>(
    `INSERT INTO catalog_versions (version, hash, content, published_by)
     SELECT version + 1, $1, $2::json, $3 FROM ${newest} WHERE hash <> $1
     RETURNING version, hash, published_by, published_at`,
    [hash, json, publishedBy],
  );
  const made = inserted.rows[0];
  const row = made ?? (await client.query<Row>(`SELECT * FROM ${newest}`)).rows[0];
  if (row === undefined) throw new Error('no catalog is published');
  await client.query(
    `INSERT INTO catalog_requests (request_id, hash, published_by, version, made_version) VALUES ($1, $2, $3, $4, $5)`,
    [requestId, hash, publishedBy, row.version, made !== undefined],
  );
  return { kind: 'answered', version: versionOf(row), made: made !== undefined, duplicate: false };
}
