import { DrawdownError } from '../errors.js';
import type { RedisConnection } from './connection.js';
import type { PartitionKeys } from './keys.js';
import type { ScriptSource } from './script-source.js';

type Reply = (Buffer | string | number)[];

/** Runs a script on the keys of a partition, once. Rejects with a DrawdownError: OUTCOME_UNKNOWN where it may have run. */
export async function callScript(
  connection: RedisConnection,
  script: ScriptSource,
  keys: PartitionKeys,
  args: readonly (string | number | Buffer)[],
): Promise<Reply> {
  const { client } = connection;
  try {
    try {
      return (await client.callBuffer('EVALSHA', [script.sha, keys.length, ...keys, ...args])) as Reply;
    } catch (error) {
      if (!String(error).includes('NOSCRIPT')) throw error;
    }
    // NOSCRIPT means that nothing ran. EVAL also puts the script into the cache.
    return (await client.callBuffer('EVAL', [script.text, keys.length, ...keys, ...args])) as Reply;
  } catch (error) {
    if (String(error).includes('READONLY')) connection.askAgain();
    throw callError(error);
  }
}

/** Errors of a call: those that Redis answered before the script ran, and those that leave the outcome unknown. */
function callError(error: unknown): DrawdownError {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith('OOM')) {
    return new DrawdownError('LIMIT_REACHED', "Redis' maxmemory is reached: new work is refused", {
      cause: error,
    });
  }
  if (/^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|BUSY)/.test(message)) {
    return new DrawdownError('UNAVAILABLE', 'Redis does not accept writes now', { cause: error });
  }
  if (message.includes('enableOfflineQueue')) {
    return new DrawdownError('UNAVAILABLE', 'Redis is not connected', { cause: error });
  }
  if (/^ERR/.test(message)) return new DrawdownError('INTERNAL', 'a script failed', { cause: error });
  return new DrawdownError('OUTCOME_UNKNOWN', "Redis' reply was lost; repeat the call unchanged", {
    cause: error,
  });
}
