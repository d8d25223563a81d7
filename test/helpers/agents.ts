/** A sidecar whose catalog has several agent tiers, and whose scripts' clock a test moves. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { packageRoot } from '../../src/paths.js';

/** Shipped: `standard` (50 credits, 30 a month, 24 hours of grace). */
const TIERS = `agents:
  tiers:
    - { name: endowed, unlock_credits: 10, cycle: 30d, renewal_credits: 5, cycle_credits: 20, draws_on_account: true, renewal_grace: 1d }
    - { name: alone, unlock_credits: 1, cycle: year, renewal_credits: 1, cycle_credits: 20, draws_on_account: false, renewal_grace: 0s }
`;

export function agentCatalogFile(): string {
  const file = join(mkdtempSync(join(tmpdir(), 'drawdown-agents-')), 'catalog.yaml');
  const shipped = readFileSync(join(packageRoot, 'catalog.yaml'), 'utf8');
  writeFileSync(file, shipped.replace('agents:\n  tiers:\n', TIERS));
  return file;
}

const OFFSET_KEY = 'test:clock-offset';

/** Takes the place of lua/includes/clock.lua: Redis' clock, and so much more or less. */
export const MOVED_CLOCK: ReadonlyMap<string, string> = new Map([
  [
    'clock',
    `local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(redis.call('GET', '${OFFSET_KEY}') or 0)
end
`,
  ],
]);

export async function moveClock(redis: Redis, offsetMs: number): Promise<void> {
  await redis.set(OFFSET_KEY, String(offsetMs));
}
