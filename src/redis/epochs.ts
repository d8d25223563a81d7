import { DrawdownError } from '../errors.js';
import type { RedisConnection } from './connection.js';
import type { PartitionKeys } from './keys.js';
import { callScript } from './script-call.js';
import { readScript, type ScriptOptions, type ScriptSource } from './script-source.js';

/** The run_id of keys that serve nobody (lua/open.lua). */
export const NOBODY = '-';

/** Which keys: those of an installation's epoch that carry this token. */
export interface EpochKeys {
  readonly keys: PartitionKeys;
  readonly installation: string;
  readonly epoch: number;
  readonly token: string;
}

/** 'CHANGED': the keys are not those that the caller named; nothing was written. */
export type EpochReply = 'OK' | 'CHANGED';

/** The calls of lua/open.lua. Each may be repeated: what is done already answers 'CHANGED', or is done again to the same end. */
export class EpochScripts {
  readonly #open: ScriptSource;

  constructor(
    private readonly connection: RedisConnection,
    private readonly limits: { readonly clockSkewMaxMs: number },
    replacedIncludes?: ScriptOptions['replacedIncludes'],
  ) {
    this.#open = readScript('open', {
      allowOutOfMemory: true,
      ...(replacedIncludes === undefined ? {} : { replacedIncludes }),
    });
  }

  /** Makes the keys of an epoch, which serve nobody yet; rejects CLOCK_SKEW. `replaced`: sealed keys that go; null: there is no meta. */
  async make(
    made: EpochKeys,
    from: { readonly afterSeq: number; readonly bookedMs: number },
    replaced: Pick<EpochKeys, 'epoch' | 'token'> | null,
  ): Promise<EpochReply> {
    const reply = await this.#call<EpochReply | 'SKEW'>('make', made, [
      from.afterSeq,
      from.bookedMs,
      replaced?.epoch ?? '',
      replaced?.token ?? '',
      Date.now(),
      this.limits.clockSkewMaxMs,
    ]);
    if (reply === 'SKEW')
      throw new DrawdownError('CLOCK_SKEW', "Redis' clock differs from the sidecar's: no epoch begins");
    return reply;
  }

  /** The keys serve from now on whoever is connected to this server. */
  adopt(epoch: EpochKeys, runId: string): Promise<EpochReply> {
    return this.#call('adopt', epoch, [runId]);
  }

  /** Nothing changes any more. */
  seal(epoch: EpochKeys): Promise<EpochReply> {
    return this.#call('seal', epoch, []);
  }

  /** Sealed keys, whole through `lastSeq`, become those of the next epoch, which serve nobody yet. */
  advance(epoch: EpochKeys, lastSeq: number, token: string): Promise<EpochReply> {
    return this.#call('advance', epoch, [lastSeq, token]);
  }

  async #call<Reply = EpochReply>(
    mode: string,
    { keys, installation, epoch, token }: EpochKeys,
    args: readonly (string | number)[],
  ): Promise<Reply> {
    return String(
      await callScript(this.connection, this.#open, keys, [mode, installation, epoch, token, ...args]),
    ) as Reply;
  }
}
