import type { Logger } from 'pino';
import { catalogFromJson } from '../catalog/canonical.js';
import type { Catalog } from '../catalog/catalog.js';
import { formatProblem } from '../catalog/document.js';
import { type CompiledCatalog, compileCatalog } from '../catalog/pricing.js';
import { DrawdownError } from '../errors.js';
import type { Metrics } from '../metrics.js';
import { readCatalog, readNewestCatalogVersion, type StoredCatalog } from '../postgres/catalogs.js';
import type { Pool } from '../postgres/pool.js';

/** One published version of the catalog, ready for pricing. */
export interface PublishedCatalog {
  readonly version: number;
  /** sha-256 of `json`, in hex. */
  readonly hash: string;
  /** Canonical JSON. */
  readonly json: string;
  readonly publishedBy: string;
  readonly publishedTimeMs: number;
  readonly catalog: Catalog;
  readonly compiled: CompiledCatalog;
}

/** How often another version is looked for: with reading and compiling it, sidecars switch within a second. */
const FOLLOW_EVERY_MS = 400;
/** Older versions that open holds may ask for. Holds live hours, so a day of a version every hour fits. */
const OLDER_KEPT_MAX = 24;

/**
 * The catalog in force, and the older versions that holds began with.
 *
 * The highest version that this sidecar can read is in force. Versions are followed by looking, not by being told: a look is
 * an index's last entry, and nothing can be missed. A version of a format that is not known here is left alone and said so;
 * while Postgres does not answer, what is in force stays.
 */
export class Catalogs {
  #current: PublishedCatalog;
  /** The highest version there is, whether it can be read or not. */
  #newest: number;
  /** Why that one is not in force; null where it is. */
  #unreadable: string | null = null;
  /** By version, the least recently wanted first. */
  readonly #older = new Map<number, PublishedCatalog>();
  /** Older versions on their way here: one for each that somebody waits for. */
  readonly #reading = new Map<number, Promise<PublishedCatalog | null>>();
  #looks: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  #postgresAway = false;

  private constructor(
    private readonly pool: Pool,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
    current: PublishedCatalog,
    newest: number,
  ) {
    this.#current = current;
    this.#newest = newest;
  }

  /** Throws where there is no version that can be read. */
  static async load(pool: Pool, metrics: Metrics, logger: Logger): Promise<Catalogs> {
    const newest = await readNewestCatalogVersion(pool);
    const found = await newestReadable(pool, { from: newest, above: 0 });
    if (found.published === null) {
      throw new Error(found.problem ?? 'no catalog is published');
    }
    const catalogs = new Catalogs(pool, metrics, logger, found.published, newest);
    catalogs.#adopt(found.published, newest, found.problem);
    return catalogs;
  }

  current(): PublishedCatalog {
    return this.#current;
  }

  /** Any version; null where none of this number was published. Rejects where it cannot be read here, or not now. */
  version(number: number): Promise<PublishedCatalog | null> {
    const kept = number === this.#current.version ? this.#current : this.#older.get(number);
    if (kept !== undefined) {
      if (kept !== this.#current) this.#keep(kept);
      return Promise.resolve(kept);
    }
    // After a restart many holds ask for the same version at once.
    let reading = this.#reading.get(number);
    if (reading === undefined) {
      reading = this.#read(number).finally(() => this.#reading.delete(number));
      this.#reading.set(number, reading);
    }
    return reading;
  }

  async #read(number: number): Promise<PublishedCatalog | null> {
    const stored = await readCatalog(this.pool, number).catch((cause: unknown) => {
      throw new DrawdownError(
        'UNAVAILABLE',
        'Postgres is needed for this catalog version and does not answer',
        { cause, retryAfterMs: 500 },
      );
    });
    if (stored === null) return null;
    const read = publishedOf(stored);
    if ('problem' in read) throw new DrawdownError('UNAVAILABLE', read.problem, { retryAfterMs: 500 });
    this.#keep(read.published);
    return read.published;
  }

  /** Why the newest version is not in force; null where it is. */
  get warning(): string | null {
    return this.#unreadable;
  }

  /** Looks for another version from now on. */
  follow(): void {
    this.#timer = setTimeout(() => {
      void this.refresh()
        .then(
          () => {
            this.#postgresAway = false;
          },
          (error: unknown) => {
            if (!this.#postgresAway)
              this.logger.warn({ reason: String(error) }, 'catalog versions could not be read');
            this.#postgresAway = true;
          },
        )
        .finally(() => {
          if (!this.#stopped) this.follow();
        });
    }, FOLLOW_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#looks;
  }

  /** Puts in force whatever was published before this call. */
  refresh(): Promise<void> {
    const look = this.#looks.then(() => this.#look());
    this.#looks = look.catch(() => undefined);
    return look;
  }

  async #look(): Promise<void> {
    const newest = await readNewestCatalogVersion(this.pool);
    if (newest <= this.#newest) return;
    const { published, problem } = await newestReadable(this.pool, {
      from: newest,
      above: this.#current.version,
    });
    this.#adopt(published ?? this.#current, newest, problem);
  }

  #adopt(published: PublishedCatalog, newest: number, problem: string | null): void {
    const before = this.#current;
    this.#newest = newest;
    this.#current = published;
    this.#older.delete(published.version);
    if (before !== published) this.#keep(before);
    this.#unreadable = problem === null ? null : `${problem}; version ${published.version} stays in force`;
    if (this.#unreadable !== null)
      this.logger.error({ newest, inForce: published.version }, this.#unreadable);
    else this.logger.info({ version: published.version, by: published.publishedBy }, 'catalog in force');
    this.metrics.catalogVersion.set(published.version);
    this.metrics.catalogNewestVersion.set(newest);
  }

  /** As the most recently wanted of the older ones. */
  #keep(published: PublishedCatalog): void {
    this.#older.delete(published.version);
    this.#older.set(published.version, published);
    const [oldest] = this.#older.keys();
    if (this.#older.size > OLDER_KEPT_MAX && oldest !== undefined) this.#older.delete(oldest);
  }
}

/** The highest readable version from one down to above another, and why the highest of all is not it. */
async function newestReadable(
  pool: Pool,
  { from, above }: { from: number; above: number },
): Promise<{ published: PublishedCatalog | null; problem: string | null }> {
  let problem: string | null = null;
  for (let version = from; version > above; version--) {
    const stored = await readCatalog(pool, version);
    if (stored === null) continue;
    const read = publishedOf(stored);
    if ('published' in read) return { published: read.published, problem };
    problem ??= read.problem;
  }
  return { published: null, problem };
}

function publishedOf(stored: StoredCatalog): { published: PublishedCatalog } | { problem: string } {
  const { version, hash, json, publishedBy, publishedMs } = stored;
  const parsed = catalogFromJson(json);
  if ('problems' in parsed) {
    const why = parsed.problems.slice(0, PROBLEMS_SHOWN_MAX).map(formatProblem).join('; ');
    return { problem: `catalog version ${version} cannot be read by this sidecar: ${why}` };
  }
  const compiled = compileCatalog(parsed.catalog, version);
  return {
    published: {
      version,
      hash,
      json,
      publishedBy,
      publishedTimeMs: publishedMs,
      catalog: parsed.catalog,
      compiled,
    },
  };
}

/** Of a version that another release wrote, the first mistakes tell enough: mostly its format. */
const PROBLEMS_SHOWN_MAX = 3;
