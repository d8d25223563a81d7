import { Worker } from 'node:worker_threads';
import type { CatalogProblem } from '../catalog/document.js';
import { DrawdownError } from '../errors.js';
import { compiledFile } from '../paths.js';

/** What a text says: the content of a version, or every mistake. */
export type CatalogText =
  | { readonly json: string; readonly hash: string }
  | { readonly problems: readonly CatalogProblem[] };

const WORKER_FILE = compiledFile(import.meta.url, 'credits/catalog-worker.js');

/** Texts that wait for the thread. People publish; half a second each, so the last one waits four. */
const CATALOG_TEXTS_WAITING_MAX = 8;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/**
 * Reads the text of a catalog, one at a time and not on this thread: a large one takes a fifth of a second and hostile ones
 * longer (src/catalog/limits.ts), while verdicts are due within milliseconds.
 */
export async function readCatalogText(text: string): Promise<CatalogText> {
  if (waiting >= CATALOG_TEXTS_WAITING_MAX) {
    throw new DrawdownError('LIMIT_REACHED', `${waiting} catalogs are being read (catalogTextsWaitingMax)`, {
      retryAfterMs: 1_000,
    });
  }
  waiting += 1;
  const read = last.then(() => readInThread(text));
  last = read.catch(() => undefined);
  try {
    return await read;
  } finally {
    waiting -= 1;
  }
}

function readInThread(text: string): Promise<CatalogText> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER_FILE, { workerData: text, execArgv: [] });
    worker.once('message', resolve);
    worker.once('error', reject);
    // After a message this changes nothing any more.
    worker.once('exit', (code) => reject(new Error(`the catalog's thread ended with ${code}`)));
  });
}
