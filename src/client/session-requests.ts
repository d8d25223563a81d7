import {
  idRule,
  isId,
  isTime,
  isWhole,
  problemOfQuantities,
  quantitiesMax,
  timeRule,
} from './event-codec.js';
import type { Ending, LiveSession } from './live-session.js';
import type { OpenRequest } from './session-types.js';
import type { ReleaseRequest, ReserveRequest, SettleRequest } from './types.js';

/** What is wrong with an open, field first; names, times and ids as the sidecar checks them. */
export function problemOfOpen(request: OpenRequest): string | null {
  if (!isId(request.sessionId)) return `session_id ${idRule}`;
  if (!isId(request.accountId)) return `account_id ${idRule}`;
  const { agentId = '' } = request;
  if (agentId !== '' && !isId(agentId)) return `agent_id ${idRule}`;
  if (!isId(request.meter)) return `meter ${idRule}`;
  if (!isId(request.model)) return `model ${idRule}`;
  const { startTimeMs = 1, expectedMax = 0, counted, known = {} } = request;
  if (!isTime(startTimeMs)) return `start_time_ms ${timeRule}`;
  if (!isWhole(expectedMax) || typeof expectedMax === 'bigint') {
    return `expected_max must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
  }
  const problem = problemOfQuantities(known, 'known', 0);
  return problem ?? problemOfCounted(counted, known);
}

function problemOfCounted(counted: readonly string[], known: object): string | null {
  if (!Array.isArray(counted) || counted.length === 0) return 'counted must name at least one quantity';
  if (counted.length > quantitiesMax) return `counted must have at most ${quantitiesMax}`;
  if (!counted.every(isId)) return `counted: a name ${idRule}`;
  if (new Set(counted).size < counted.length) return 'counted must name each quantity once';
  const both = counted.find((name) => Object.hasOwn(known, name));
  return both === undefined ? null : `counted must be none of the known, as ${both} is`;
}

/** Later changes of the caller's objects change nothing. */
export function copyOf(request: OpenRequest): OpenRequest {
  return { ...request, known: { ...request.known }, counted: [...request.counted] };
}

/** The unary call that ends a session as well. */
export function requestOf(ending: Ending): SettleRequest | ReleaseRequest {
  const { session, kind, quantities, eventTimeMs } = ending;
  const { sessionId: holdId, accountId, agentId, meter, model } = session.request;
  // One without a verdict is given back where it was made for these opens, and not where they took it from somebody. Its settle is never refused.
  const generation = session.newestGeneration || (kind === 'release' ? session.unansweredOpens : 0);
  const owner = generation === 0 ? {} : { generation };
  if (kind === 'release') return { holdId, accountId, eventTimeMs, ...owner };
  return {
    holdId,
    accountId,
    ...(agentId === undefined ? {} : { agentId }),
    meter,
    model,
    quantities,
    eventTimeMs,
    ...owner,
  };
}

/** A session as reservations of so many of the first counted quantity: what it counts while nobody can judge it. */
export function reserveOf({ request, startTimeMs }: LiveSession): {
  countMin: number;
  countMax: number;
  requestFor: (count: number) => ReserveRequest;
} {
  const { sessionId: holdId, accountId, agentId, meter, model, known, counted, expectedMax, whole } = request;
  const countMax = expectedMax === undefined || expectedMax === 0 ? Number.MAX_SAFE_INTEGER : expectedMax;
  return {
    countMin: whole === true && expectedMax !== undefined ? expectedMax : 1,
    countMax,
    requestFor: (count) => ({
      holdId,
      accountId,
      ...(agentId === undefined ? {} : { agentId }),
      meter,
      model,
      startTimeMs,
      quantities: { ...known, [counted[0] as string]: count },
    }),
  };
}

export function holdOf({ accountId, sessionId }: LiveSession): { accountId: string; holdId: string } {
  return { accountId, holdId: sessionId };
}
