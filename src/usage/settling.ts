import { DrawdownError } from '../errors.js';
import { CODE, OP, type PackedOperation } from '../redis/format.js';
import type { LedgerDetails } from '../redis/opaque.js';
import type { Catalogs, PublishedCatalog } from './catalogs.js';
import { type Executor, outcomeOf } from './executor.js';
import { settleFingerprint } from './fingerprint.js';
import { type Decision, type FinalResult, type Operation, positionOf, type Taker } from './operation.js';
import { settledOf } from './outcome-views.js';
import { appendEstimate } from './pricing.js';
import type { SettleCall, Settled } from './types.js';

/** A settle is priced again when its hold has another catalog version; versions do not change under it more often than this. */
const PRICED_MAX = 3;

/**
 * One settle on its way: priced by one version of the catalog and sent; where its hold began with another one, or that one cannot price it,
 * priced and sent again. A class without promises on its usual way, because tens of thousands are made a second.
 */
export class Settling implements Operation {
  readonly accountId: string;
  readonly details: LedgerDetails;
  readonly bulk = false;
  readonly ending = true;
  packed: PackedOperation = [];
  catalogVersion = 0;
  private readonly hash: number;
  private priced = 0;

  constructor(
    private readonly call: SettleCall,
    readonly deadlineMs: number,
    private readonly executor: Executor,
    private readonly catalogs: Catalogs,
    private readonly taker: Taker<Settled>,
  ) {
    const { accountId, meter, model, agentId, final } = call;
    this.accountId = accountId;
    this.details = { meter, model, agentId, quantities: final.kind === 'quantities' ? final.quantities : [] };
    this.hash = settleFingerprint(call);
  }

  /** Prices it by this version and sends it. */
  send(catalog: PublishedCatalog): void {
    const { call } = this;
    this.priced++;
    this.catalogVersion = call.final.kind === 'quantities' ? catalog.version : 0;
    this.packed = [
      OP.settle,
      0,
      call.holdId,
      this.hash,
      call.eventTimeMs,
      -1,
      this.catalogVersion,
      call.agentId,
      call.generation ?? 0,
    ];
    try {
      appendEstimate(this.packed, catalog.compiled, call, call.final, 'final');
    } catch (error) {
      // A meter, wallet or quantity that is gone: the version that the hold began with has it.
      void this.#sendBy(this.#catalogOfHold(catalog, error));
      return;
    }
    this.executor.queueOf(this.accountId).push(this);
  }

  done(result: FinalResult, decision: Decision): void {
    if (result.code === CODE.reprice) {
      void this.#sendBy(this.#catalog(result.catalogVersion));
      return;
    }
    let settled: Settled;
    try {
      const outcome = outcomeOf(result, this.accountId);
      settled = settledOf(outcome, result.code === CODE.duplicate, positionOf(decision, outcome.seq));
    } catch (error) {
      this.taker.failed(error);
      return;
    }
    this.taker.done(settled);
  }

  failed(error: DrawdownError): void {
    this.taker.failed(error);
  }

  async #sendBy(wanted: Promise<PublishedCatalog>): Promise<void> {
    try {
      const catalog = await wanted;
      if (this.priced === PRICED_MAX)
        throw new DrawdownError('INTERNAL', "the hold's catalog version changed while it was settled");
      this.send(catalog);
    } catch (error) {
      this.taker.failed(error);
    }
  }

  async #catalog(version: number): Promise<PublishedCatalog> {
    const wanted = await this.catalogs.version(version);
    if (wanted === null) throw new DrawdownError('INTERNAL', `a hold names catalog version ${version}`);
    return wanted;
  }

  /** The catalog that the hold began with, where that is another than one that cannot price it; rejects with `why` where not. */
  async #catalogOfHold(other: PublishedCatalog, why: unknown): Promise<PublishedCatalog> {
    const { accountId, deadlineMs } = this;
    const { result } = await this.executor.run(
      { accountId, packed: [OP.lookup, 0, this.call.holdId, 0, 0, -1, 'h'], ending: true },
      { deadlineMs },
    );
    const version = result.code === CODE.duplicate ? result.outcome.catalogVersion : 0;
    const begun = version === 0 || version === other.version ? null : await this.catalogs.version(version);
    if (begun === null) throw why;
    return begun;
  }
}
