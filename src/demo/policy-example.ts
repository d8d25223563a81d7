import type { PolicyCustomer } from './policy-customer.js';

/** The worked example of docs/credits.md, whose table says what becomes of each step. */

/** Midnight, UTC. */
const day = (text: string): number => Date.parse(`${text}T00:00:00Z`);

interface Moment {
  readonly day: string;
  readonly what: string;
}

/** What a caller does, or what nobody does: the sweeper, which is waited for until so many lines are in the ledger. */
export type ExampleStep = Moment &
  (
    | { readonly by: 'caller'; readonly play: (customer: PolicyCustomer) => Promise<void> }
    | { readonly by: 'sweeper'; readonly lines: number }
  );

const periodEnd = { starter: day('2026-02-10'), pro: day('2026-02-20') };
export const startMs = day('2026-01-02');
/** When the account is looked at. */
export const endMs = day('2026-03-15');

export const exampleSteps: readonly ExampleStep[] = [
  {
    day: '2026-01-02',
    what: 'The account begins on Free.',
    by: 'caller',
    play: (customer) => customer.create('free'),
  },
  {
    day: '2026-01-05',
    what: '20 requests to a model, 2 credits each.',
    by: 'caller',
    play: (customer) => customer.use(20),
  },
  {
    day: '2026-01-10',
    what: 'Starter, period to 10 February.',
    by: 'caller',
    play: (customer) => customer.startPeriod('starter', periodEnd.starter),
  },
  {
    day: '2026-01-10',
    what: 'Three agents are unlocked, 50 credits each.',
    by: 'caller',
    play: async (customer) => {
      for (const agent of ['support', 'sales', 'docs']) await customer.unlock(agent);
    },
  },
  {
    day: '2026-01-10',
    what: '200 credits become characters, 100 a credit.',
    by: 'caller',
    play: (customer) => customer.convertIntoCharacters(200),
  },
  {
    day: '2026-01-20',
    what: 'Upgrade to Pro, period to 20 February: what is left of Starter is carried forward.',
    by: 'caller',
    play: (customer) => customer.upgrade('pro', periodEnd.pro),
  },
  {
    day: '2026-01-25',
    what: '250 requests on behalf of the agents.',
    by: 'caller',
    play: async (customer) => {
      await customer.use(150, 'support');
      await customer.use(75, 'sales');
      await customer.use(25, 'docs');
    },
  },
  {
    day: '2026-02-10',
    what: 'The agents are renewed, 30 credits each. Nothing expires.',
    by: 'sweeper',
    // A renewal each.
    lines: 3,
  },
  {
    day: '2026-02-15',
    what: 'Cancelled: Free from 20 February.',
    by: 'caller',
    play: (customer) => customer.cancel(),
  },
  {
    day: '2026-02-20',
    what: 'The period ends: what is left of it expires, and the account is on Free, which grants nothing again.',
    by: 'sweeper',
    // The lots of Starter and Pro, and the plan.
    lines: 3,
  },
  {
    day: '2026-03-10',
    what: 'The free credits renew two agents; the third is not paid, and its grace of 24 hours begins.',
    by: 'sweeper',
    lines: 3,
  },
  {
    day: '2026-03-11',
    what: 'The grace is over: the third agent is suspended.',
    by: 'sweeper',
    lines: 1,
  },
];

/** What the customer has on 15 March: whole credits, characters, agents. */
export interface Figures {
  readonly granted: number;
  readonly available: number;
  readonly spent: number;
  readonly expired: number;
  readonly converted: number;
  readonly ttsCharacters: number;
  readonly agents: { readonly active: number; readonly suspended: number };
}

export const exampleFigures: Figures = {
  granted: 4_100,
  available: 0,
  spent: 840,
  expired: 3_060,
  converted: 200,
  ttsCharacters: 20_000,
  agents: { active: 2, suspended: 1 },
};
