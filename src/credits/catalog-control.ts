import type { CatalogProblem } from '../catalog/document.js';
import { DrawdownError } from '../errors.js';
import { type CatalogVersionRow, publishCatalog, readCatalogVersions } from '../postgres/catalogs.js';
import type { Pool } from '../postgres/pool.js';
import type { Catalogs } from '../usage/catalogs.js';
import { readCatalogText } from './catalog-text.js';
import type { Page } from './types.js';

export interface PublishCatalogCall {
  readonly requestId: string;
  readonly text: string;
  readonly publishedBy: string;
}

/** A version without its content. */
export interface CatalogVersionView {
  readonly version: number;
  readonly hash: string;
  readonly publishedTimeMs: number;
  readonly publishedBy: string;
}

export type CatalogPublished =
  | { readonly outcome: 'refused'; readonly problems: readonly CatalogProblem[] }
  | {
      readonly outcome: 'published' | 'unchanged';
      readonly catalogVersion: CatalogVersionView;
      readonly duplicate: boolean;
    };

export type CatalogValidated =
  | { readonly valid: true; readonly hash: string }
  | { readonly valid: false; readonly problems: readonly CatalogProblem[] };

/** Publishing as the transport sees it; rejects with a DrawdownError (ID_CONFLICT, OUTCOME_UNKNOWN, ...). */
export interface CatalogPublisher {
  validate(text: string): Promise<CatalogValidated>;
  publish(call: PublishCatalogCall): Promise<CatalogPublished>;
  /** Newest first. */
  versions(query: { pageSize: number; pageToken: string }): Promise<Page<CatalogVersionView>>;
}

/** Makes versions of the catalog, and puts each in force here before it answers. */
export class CatalogControl implements CatalogPublisher {
  constructor(
    private readonly pool: Pool,
    private readonly catalogs: Catalogs,
  ) {}

  async validate(text: string): Promise<CatalogValidated> {
    const read = await readCatalogText(text);
    if ('problems' in read) return { valid: false, problems: read.problems };
    return { valid: true, hash: read.hash };
  }

  async publish({ requestId, text, publishedBy }: PublishCatalogCall): Promise<CatalogPublished> {
    const read = await readCatalogText(text);
    if ('problems' in read) return { outcome: 'refused', problems: read.problems };
    const { json, hash } = read;
    // The answer to a COMMIT may be lost, and so may that of any statement before it: repeating finds out.
    const publication = await publishCatalog(this.pool, { requestId, json, hash, publishedBy }).catch(
      (cause: unknown) => {
        throw new DrawdownError(
          'OUTCOME_UNKNOWN',
          'Postgres did not answer; the version may have been made',
          {
            cause,
            retryAfterMs: 500,
          },
        );
      },
    );
    if (publication.kind === 'conflict') {
      throw new DrawdownError('ID_CONFLICT', 'request_id: already used with another catalog or publisher', {
        field: 'request_id',
      });
    }
    // The version is durable; where it cannot be read back now, following finds it.
    await this.catalogs.refresh().catch(() => undefined);
    return {
      outcome: publication.made ? 'published' : 'unchanged',
      catalogVersion: viewOf(publication.version),
      duplicate: publication.duplicate,
    };
  }

  async versions({
    pageSize,
    pageToken,
  }: {
    pageSize: number;
    pageToken: string;
  }): Promise<Page<CatalogVersionView>> {
    const below = pageToken === '' ? 0 : Number(pageToken);
    if (!/^\d{0,9}$/.test(pageToken) || (pageToken !== '' && below === 0)) {
      throw new DrawdownError('FIELD_INVALID', 'page_token: not one that this call returned', {
        field: 'page_token',
      });
    }
    const rows = await readCatalogVersions(this.pool, { below, countMax: pageSize + 1 }).catch(
      (cause: unknown) => {
        throw new DrawdownError('UNAVAILABLE', 'Postgres is needed for this call and does not answer', {
          cause,
          retryAfterMs: 500,
        });
      },
    );
    const items = rows.slice(0, pageSize).map(viewOf);
    return { items, nextPageToken: rows.length > pageSize ? String(items.at(-1)?.version) : '' };
  }
}

function viewOf({ version, hash, publishedBy, publishedMs }: CatalogVersionRow): CatalogVersionView {
  return { version, hash, publishedBy, publishedTimeMs: publishedMs };
}
