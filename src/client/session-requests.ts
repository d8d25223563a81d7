import type { Ending } from './ending.js';
import {
  bytesOfName,
  idRule,
  isId,
  isTime,
  isWhole,
  problemOfQuantities,
  quantitiesMax,
  timeRule,
} from './event-codec.js';
import type { LiveSession } from './live-session.js';
import type { OpenRequest } from './session-types.js';
import type { ReleaseRequest, ReserveRequest, SettleRequest } from './types.js';

/** What is wrong with an open, field first; names, times and ids as the sidecar checks them. */
export function problemOfOpen(request: OpenRequest): string | null {
  if (!isId(request.sessionId)) return `session_id ${idRule}`;
  if (!isId(request.accountId)) return `account_id ${idRule}`;
  const { agentId = '' } = request;
  if (agentId !== '' && !isId(agentId)) return `agent_id ${idRule}`;
  if (bytesOfName(request.meter) === null) return `meter ${idRule}`;
  if (bytesOfName(request.model) === null) return `model ${idRule}`;
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
  for (let i = 0; i < counted.length; i++) {
    const name = counted[i] as string;
    if (bytesOfName(name) === null) return `counted: a name ${idRule}`;
    if (counted.indexOf(name) < i) return 'counted must name each quantity once';
    if (Object.hasOwn(known, name)) return `counted must be none of the known, as ${name} is`;
  }
  return null;
}

/** Later changes of the caller's objects change nothing. Field by field: so all have one shape, whatever the caller's have. */
export function copyOf(request: OpenRequest): OpenRequest {
  const { sessionId, accountId, agentId, meter, model, known, counted, expectedMax, whole, signal } = request;
  return {
    sessionId,
    accountId,
    agentId,
    meter,
    model,
    known: { ...known },
    counted: [...counted],
    expectedMax,
    whole,
    signal,
  };
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
