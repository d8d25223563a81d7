/** The torture harness, bounded: some of its faults on a small cluster, everything that it checks. `npm run torture` plays all of them for as long as asked. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import { runCompiled } from '../helpers/command.js';
import { seedOf } from '../helpers/until.js';

/** A run of a minute, with what its last round takes. */
const limitMs = 240_000;

/** What can lose or double something: the others make callers wait. */
const kinds = [
  'sidecar_killed',
  'lease_owner_frozen',
  'sidecar_restarted',
  'client_killed',
  'redis_killed',
  'postgres_killed',
  'client_reply_lost',
  'redis_reply_lost',
  'redis_silent',
  'postgres_silent',
  'commit_cut_before',
  'commit_cut_after',
  'redis_flushed',
  'redis_file_cut',
  'redis_replica_promoted',
  'redis_memory_full',
  'redis_disk_full',
  'postgres_disk_full',
  'clock_stepped',
];

beforeAll(() => {
  execFileSync(join(packageRoot, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.bench.json'], {
    cwd: packageRoot,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}, limitMs);

it(
  'a minute of torture loses nothing, doubles nothing, and fires every fault',
  async () => {
    const seed = seedOf('torture') % 999_999_999 || 1;
    const { code, output, json, left } = await runCompiled(
      join(packageRoot, 'dist-bench/test/torture/index.js'),
      ['--seed', String(seed), '--minutes', '1', '--faults', kinds.join(',')],
    );
    expect([code, output]).toEqual([0, expect.stringContaining('losses 0, doubles 0, drift 0')]);
    expect(json).toMatchObject({ seed, losses: 0, doubles: 0, drifts: 0, driftMicros: 0, broken: 0 });
    const { faultsFired, skipped, eventsChecked } = json as {
      faultsFired: Record<string, number>;
      skipped: Record<string, string>;
      eventsChecked: number;
    };
    expect(Object.keys({ ...faultsFired, ...skipped }).sort()).toEqual([...kinds].sort());
    expect(Object.values(faultsFired)).not.toContain(0);
    expect(eventsChecked).toBeGreaterThan(0);
    expect(left).toEqual([]);
  },
  limitMs,
);
