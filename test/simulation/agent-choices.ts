/** What a customer does with its agents, and for which of them it works. */
import { activate, end, unlock } from './agent-calls.js';
import type { Call, Scene } from './calls.js';
import type { Random } from './random.js';

/** An id comes back after its agent was removed. */
const IDS = ['reader', 'writer', 'speaker', 'singer'];
/** An id under which nothing is ever unlocked: a mere label. */
const LABEL = 'nobody';
/** Some versions of the catalog do not have the last two. */
const TIERS = ['standard', 'standard', 'endowed', 'endowed', 'alone'];

/** For whom work is: for nobody, for an agent as it is just now, or for a label. */
export function agentOfWork(random: Random, { state }: Scene): string {
  const agents = state.subscription?.agents ?? [];
  if (agents.length === 0) return random.chance(0.05) ? LABEL : '';
  return random.weighted([
    [4, ''],
    [5, random.pick(agents).id],
    [0.3, LABEL],
  ]);
}

/** Mostly what makes sense: the suspended are activated, where there is room others are unlocked. */
export function aboutAgents(
  random: Random,
  own: { readonly accountId: string; readonly requestId: string; readonly eventTimeMs: number },
  { state }: Scene,
): Call {
  const agents = state.subscription?.agents ?? [];
  const of = (wanted: string): string => {
    const found = agents.filter((agent) => agent.state === wanted);
    return found.length > 0 && random.chance(0.95) ? random.pick(found).id : random.pick(IDS);
  };
  const suspended = agents.some((agent) => agent.state === 'suspended');
  const make = random.weighted<() => Call>([
    [6, () => unlock({ ...own, agentId: random.pick(IDS), tier: random.pick(TIERS) })],
    [suspended ? 8 : 0.5, () => activate({ ...own, agentId: of('suspended') })],
    [1, () => end('suspend', { ...own, agentId: of('active') })],
    [1, () => end('remove', { ...own, agentId: of(random.chance(0.5) ? 'active' : 'suspended') })],
  ]);
  return make();
}
