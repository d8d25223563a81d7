/** Reads one catalog's text on a thread of its own, and ends: see catalog-text.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { canonicalCatalog } from '../catalog/canonical.js';
import { parseCatalog } from '../catalog/schema.js';
import type { CatalogText } from './catalog-text.js';

const parsed = parseCatalog(String(workerData), 'catalog');
const result: CatalogText =
  'problems' in parsed ? { problems: parsed.problems } : canonicalCatalog(parsed.catalog);
parentPort?.postMessage(result);
