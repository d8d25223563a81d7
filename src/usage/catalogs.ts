import { catalogFromJson } from '../catalog/canonical.js';
import { formatProblem } from '../catalog/document.js';
import { type CompiledCatalog, compileCatalog } from '../catalog/pricing.js';

/** One published version of the catalog, ready for pricing. */
export interface PublishedCatalog {
  readonly version: number;
  /** sha-256 of `json`, in hex. */
  readonly hash: string;
  /** Canonical JSON. */
  readonly json: string;
  readonly publishedTimeMs: number;
  readonly compiled: CompiledCatalog;
}

/** Every published version; the highest is in force. Throws where a stored version is not one. */
export class Catalogs {
  readonly #versions = new Map<number, PublishedCatalog>();
  readonly #current: PublishedCatalog;

  constructor(
    stored: readonly {
      readonly version: number;
      readonly hash: string;
      readonly json: string;
      readonly publishedMs: number;
    }[],
  ) {
    let current: PublishedCatalog | undefined;
    for (const { version, hash, json, publishedMs } of stored) {
      const parsed = catalogFromJson(json);
      if ('problems' in parsed) {
        throw new Error(
          `catalog version ${version} in Postgres: ${parsed.problems.map(formatProblem).join('; ')}`,
        );
      }
      const compiled = compileCatalog(parsed.catalog, version);
      const published = { version, hash, json, publishedTimeMs: publishedMs, compiled };
      this.#versions.set(version, published);
      if (current === undefined || version > current.version) current = published;
    }
    if (current === undefined) throw new Error('no catalog is published');
    this.#current = current;
  }

  current(): PublishedCatalog {
    return this.#current;
  }

  version(number: number): Promise<PublishedCatalog | null> {
    return Promise.resolve(this.#versions.get(number) ?? null);
  }
}
