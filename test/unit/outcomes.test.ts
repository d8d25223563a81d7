/** What is counted between scrapes only. */
import { describe, expect, it } from 'vitest';
import { Outcomes } from '../../src/grpc/outcomes.js';
import { createMetrics } from '../../src/metrics.js';
import type { SessionVerdict } from '../../src/sessions/types.js';
import type { Settled } from '../../src/usage/types.js';
import { catalogWith } from './catalog-sample.js';

const x = catalogWith([{ name: 'output', price: '1' }]);
const nothing = { ...x, meter: () => undefined };

const settled: Settled = {
  unit: 1,
  charged: 3,
  released: 0,
  releasedUnit: 1,
  overdrawn: 2,
  available: 0,
  late: false,
  holdUnknown: false,
  unrated: true,
  converted: 5,
  duplicate: false,
  catalogVersion: 7,
  position: { partition: 0, epoch: 1, seq: 1 },
};
const opened = { denied: null, generation: 1 } as SessionVerdict;

function stage() {
  const metrics = createMetrics({ processMetrics: false });
  const inForce = { catalog: x };
  const outcomes = new Outcomes(metrics, () => inForce.catalog);
  /** The lines of a scrape about this, without its prefix, and without what is 0. */
  const scrape = async (name: string): Promise<string[]> => {
    const lines = (await metrics.render()).split('\n');
    const found = lines.filter((line) => line.startsWith(`drawdown_${name}{`) && !line.endsWith(' 0'));
    return found.map((line) => line.slice(`drawdown_${name}`.length));
  };
  return { metrics, inForce, outcomes, scrape };
}

describe('what sessions come to', () => {
  it('is counted once, whoever scrapes how often, and not before there is something', async () => {
    const { metrics, outcomes, scrape } = stage();
    expect(await metrics.render()).not.toContain('drawdown_operations_total{');
    outcomes.sessionOpened(opened);
    outcomes.sessionOpened(opened);
    outcomes.sessionOpened({ ...opened, generation: 2 });
    outcomes.settled({ meter: 'm', model: 'x' }, settled);
    outcomes.settled({ meter: 'm', model: 'x' }, { ...settled, duplicate: true });
    for (let i = 0; i < 2; i++) {
      expect((await scrape('operations_total')).sort()).toEqual([
        '{kind="open_session",verdict="applied",reason="none"} 2',
        '{kind="open_session",verdict="duplicate",reason="none"} 1',
        '{kind="settle",verdict="applied",reason="none"} 1',
        '{kind="settle",verdict="duplicate",reason="none"} 1',
      ]);
      expect(await scrape('charged_units_total')).toEqual(['{unit="micro_credits",meter="m",model="x"} 3']);
      expect(await scrape('debt_booked_units_total')).toEqual(['{unit="micro_credits"} 2']);
      expect(await scrape('unrated_events_total')).toEqual(['{meter="m"} 1']);
      expect(await scrape('converted_micro_credits_total')).toEqual(['{by="charge"} 5']);
    }
  });

  it('has the names of the catalog that was in force', async () => {
    const { inForce, outcomes, scrape } = stage();
    outcomes.settled({ meter: 'm', model: 'x' }, settled);
    inForce.catalog = nothing;
    outcomes.settled({ meter: 'm', model: 'x' }, settled);
    expect(await scrape('charged_units_total')).toEqual([
      '{unit="micro_credits",meter="m",model="x"} 3',
      '{unit="micro_credits",meter="other",model="other"} 3',
    ]);
  });

  it('is summed up over a thousand settles at most, also where nobody scrapes', async () => {
    const { metrics, outcomes, scrape } = stage();
    for (let i = 0; i < 1_001; i++) outcomes.settled({ meter: 'm', model: `model-${i}` }, settled);
    expect((await metrics.chargedUnits.get()).values.map(({ value }) => value)).toEqual([3_000]);
    expect(await scrape('charged_units_total')).toEqual([
      '{unit="micro_credits",meter="m",model="other"} 3003',
    ]);
  });
});
