import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { CatalogProblem as Problem } from '../catalog/document.js';
import { type CompiledCatalog, walletCosts } from '../catalog/pricing.js';
import type { CatalogPublisher } from '../credits/catalog-control.js';
import { DrawdownError } from '../errors.js';
import type { CatalogProblem } from '../gen/drawdown/v1/CatalogProblem.js';
import type { EstimateCostRequest__Output } from '../gen/drawdown/v1/EstimateCostRequest.js';
import type { EstimateCostResponse } from '../gen/drawdown/v1/EstimateCostResponse.js';
import type { GetCatalogRequest__Output } from '../gen/drawdown/v1/GetCatalogRequest.js';
import type { GetCatalogResponse } from '../gen/drawdown/v1/GetCatalogResponse.js';
import type { ListCatalogVersionsRequest__Output } from '../gen/drawdown/v1/ListCatalogVersionsRequest.js';
import type { ListCatalogVersionsResponse } from '../gen/drawdown/v1/ListCatalogVersionsResponse.js';
import type { PublishCatalogRequest__Output } from '../gen/drawdown/v1/PublishCatalogRequest.js';
import type { PublishCatalogResponse } from '../gen/drawdown/v1/PublishCatalogResponse.js';
import type { ValidateCatalogRequest__Output } from '../gen/drawdown/v1/ValidateCatalogRequest.js';
import type { ValidateCatalogResponse } from '../gen/drawdown/v1/ValidateCatalogResponse.js';
import { refusalError } from '../usage/pricing.js';
import { UNITS } from '../usage/types.js';
import { type CallEnvironment, unary } from './call.js';
import { enumName, unitName } from './names.js';
import { checkId, checkName, checkPage, checkQuantities, checkWhole } from './validate.js';

/** One published version. */
export interface CatalogVersion {
  readonly version: number;
  /** sha-256 of `json`, in hex. */
  readonly hash: string;
  /** Canonical JSON. */
  readonly json: string;
  readonly publishedBy: string;
  readonly publishedTimeMs: number;
  readonly compiled: CompiledCatalog;
}

/** The catalog as the transport sees it. */
export interface CatalogReader {
  /** The version in force. */
  current(): CatalogVersion;
  /** An older version, or null where none of this number was published. */
  version(number: number): Promise<CatalogVersion | null>;
}

export interface CatalogServiceEnvironment extends CallEnvironment {
  readonly catalog: CatalogReader;
  readonly publisher: CatalogPublisher;
}

export function catalogService(environment: CatalogServiceEnvironment): UntypedServiceImplementation {
  return {
    getCatalog: getCatalog(environment),
    listCatalogVersions: listCatalogVersions(environment),
    validateCatalog: validateCatalog(environment),
    publishCatalog: publishCatalog(environment),
    estimateCost: estimateCost(environment),
  };
}

const getCatalog = (environment: CatalogServiceEnvironment) =>
  unary<GetCatalogRequest__Output, GetCatalogResponse>('GetCatalog', environment, async (request) => {
    const wanted = checkWhole(request.version, 'version', { max: 2 ** 31 - 1 });
    const { catalog } = environment;
    const found = wanted === 0 ? catalog.current() : await catalog.version(wanted);
    if (found === null) {
      throw new DrawdownError('CATALOG_VERSION_UNKNOWN', `No catalog of version ${wanted} was published`, {
        field: 'version',
      });
    }
    const { version, hash, json, publishedTimeMs, publishedBy } = found;
    return { version, hash, json, publishedTimeMs, publishedBy };
  });

const listCatalogVersions = (environment: CatalogServiceEnvironment) =>
  unary<ListCatalogVersionsRequest__Output, ListCatalogVersionsResponse>(
    'ListCatalogVersions',
    environment,
    async (request) => {
      const { catalog, publisher } = environment;
      const page = await publisher.versions(checkPage(request));
      return {
        versions: page.items.map((version) => ({ ...version })),
        nextPageToken: page.nextPageToken,
        inForce: catalog.current().version,
      };
    },
  );

const validateCatalog = (environment: CatalogServiceEnvironment) =>
  unary<ValidateCatalogRequest__Output, ValidateCatalogResponse>(
    'ValidateCatalog',
    environment,
    async ({ text }) => {
      const validated = await environment.publisher.validate(text);
      if (validated.valid) return { valid: true, hash: validated.hash };
      return { valid: false, problems: validated.problems.map(problemOf) };
    },
  );

const publishCatalog = (environment: CatalogServiceEnvironment) =>
  unary<PublishCatalogRequest__Output, PublishCatalogResponse>(
    'PublishCatalog',
    environment,
    async (request) => {
      const published = await environment.publisher.publish({
        requestId: checkId(request.requestId, 'request_id'),
        text: request.text,
        publishedBy: checkId(request.publishedBy, 'published_by'),
      });
      const outcome = enumName('PUBLISH_OUTCOME', published.outcome);
      if (published.outcome === 'refused') return { outcome, problems: published.problems.map(problemOf) };
      return { outcome, catalogVersion: { ...published.catalogVersion }, duplicate: published.duplicate };
    },
  );

function problemOf({ line, column, path, message }: Problem): CatalogProblem {
  return { line, column, path, message };
}

const estimateCost = (environment: CatalogServiceEnvironment) =>
  unary<EstimateCostRequest__Output, EstimateCostResponse>('EstimateCost', environment, (request) => {
    const usage = {
      meter: checkName(request.meter, 'meter'),
      model: checkName(request.model, 'model'),
      quantities: checkQuantities(request.quantities, 'quantities'),
    };
    const { version, compiled } = environment.catalog.current();
    const priced = walletCosts(compiled, usage);
    if (priced.kind === 'refused') throw refusalError(priced);
    const costs = priced.costs.flatMap(({ unit, amount }) =>
      amount === 'unrated' ? [] : [{ unit: unitName(UNITS[unit]), value: amount }],
    );
    return { catalogVersion: version, unrated: priced.kind === 'unrated', costs };
  });
