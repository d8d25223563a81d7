import { readFileSync } from 'node:fs';
import { canonicalCatalog } from '../catalog/canonical.js';
import { formatProblem } from '../catalog/document.js';
import { parseCatalog } from '../catalog/schema.js';
import { seedCatalog } from '../postgres/catalogs.js';
import type { Pool } from '../postgres/pool.js';

/** Who published the version that an empty installation begins with: the setting that names its file. */
const SEEDED_BY = 'catalogFile';

/** Makes a file the first version of an empty installation; elsewhere Postgres' versions win. Returns the file's hash. */
export async function seedFromFile(pool: Pool, file: string): Promise<string> {
  const parsed = parseCatalog(readFileSync(file, 'utf8'), file);
  if ('problems' in parsed)
    throw new Error(`the catalog has mistakes:\n${parsed.problems.map(formatProblem).join('\n')}`);
  const { json, hash } = canonicalCatalog(parsed.catalog);
  await seedCatalog(pool, { json, hash, publishedBy: SEEDED_BY });
  return hash;
}
