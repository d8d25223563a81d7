import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type CompiledCatalog, walletCosts } from '../catalog/pricing.js';
import { DrawdownError } from '../errors.js';
import type { EstimateCostRequest__Output } from '../gen/drawdown/v1/EstimateCostRequest.js';
import type { EstimateCostResponse } from '../gen/drawdown/v1/EstimateCostResponse.js';
import type { GetCatalogRequest__Output } from '../gen/drawdown/v1/GetCatalogRequest.js';
import type { GetCatalogResponse } from '../gen/drawdown/v1/GetCatalogResponse.js';
import { refusalError } from '../usage/pricing.js';
import { UNITS } from '../usage/types.js';
import { type CallEnvironment, callOptions, unary } from './call.js';
import { unitName } from './names.js';
import { checkName, checkQuantities, checkWhole } from './validate.js';

/** One published version. */
export interface CatalogVersion {
  readonly version: number;
  /** sha-256 of `json`, in hex. */
  readonly hash: string;
  /** Canonical JSON. */
  readonly json: string;
  readonly publishedTimeMs: number;
  readonly compiled: CompiledCatalog;
}

/** The catalog as the transport sees it. */
export interface CatalogReader {
  /** The version in force. */
  current(): CatalogVersion;
  /** An older version, or null where none of this number was published. */
  version(number: number, options: { readonly deadlineMs: number }): Promise<CatalogVersion | null>;
}

export interface CatalogServiceEnvironment extends CallEnvironment {
  readonly catalog: CatalogReader;
}

export function catalogService(environment: CatalogServiceEnvironment): UntypedServiceImplementation {
  return { getCatalog: getCatalog(environment), estimateCost: estimateCost(environment) };
}

const getCatalog = (environment: CatalogServiceEnvironment) =>
  unary<GetCatalogRequest__Output, GetCatalogResponse>('GetCatalog', environment, async (request, call) => {
    const wanted = checkWhole(request.version, 'version', { max: 2 ** 31 - 1 });
    const { catalog, settings } = environment;
    const found =
      wanted === 0 ? catalog.current() : await catalog.version(wanted, callOptions(call, false, settings));
    if (found === null) {
      throw new DrawdownError('CATALOG_VERSION_UNKNOWN', `No catalog of version ${wanted} was published`, {
        field: 'version',
      });
    }
    const { version, hash, json, publishedTimeMs } = found;
    return { version, hash, json, publishedTimeMs };
  });

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
