import type { Pool } from 'pg';

export interface Installation {
  readonly id: string;
  readonly partitionCount: number;
  readonly format: number;
}

/** The installation this database belongs to; made with the given values where there is none yet. */
export async function readOrCreateInstallation(
  pool: Pool,
  partitionCount: number,
  format: number,
): Promise<Installation> {
  await pool.query(
    `INSERT INTO installation (partition_count, format) VALUES ($1, $2) ON CONFLICT (only_row) DO NOTHING`,
    [partitionCount, format],
  );
  const { rows } = await pool.query<{ installation_id: string; partition_count: number; format: number }>(
    `SELECT installation_id, partition_count, format FROM installation`,
  );
  const row = rows[0];
  if (row === undefined) throw new Error('the installation row vanished');
  return { id: row.installation_id, partitionCount: row.partition_count, format: row.format };
}
