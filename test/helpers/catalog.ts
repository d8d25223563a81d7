/** Publishes a next version of the shipped catalog that also prices one more model of the meter llm. A sidecar that starts after it knows it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalCatalog } from '../../src/catalog/canonical.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { packageRoot } from '../../src/paths.js';
import { sql } from './audit.js';

/** A model that the shipped catalog does not know; once priced, N input tokens cost N micro-credits. */
export const UNKNOWN_MODEL = 'model-of-tomorrow';

export async function publishUnknownModel(postgresUrl: string): Promise<void> {
  const shipped = readFileSync(join(packageRoot, 'catalog.yaml'), 'utf8');
  const added = `  models:
    - name: ${UNKNOWN_MODEL}
      meter: llm
      source: a test
      date: 2026-01-01
      prices: { input_tokens: 1, output_tokens: 1 }
`;
  const parsed = parseCatalog(shipped.replace(/^ {2}models:\n/m, added), 'test.yaml');
  if (!('catalog' in parsed)) throw new Error(JSON.stringify(parsed.problems));
  const { json, hash } = canonicalCatalog(parsed.catalog);
  await sql(
    postgresUrl,
    `INSERT INTO catalog_versions
     SELECT (json_populate_record(c, json_build_object('version', c.version + 1, 'hash', $1::text, 'content', $2::json))).*
     FROM catalog_versions c WHERE version = (SELECT max(version) FROM catalog_versions)`,
    [hash, json],
  );
}
