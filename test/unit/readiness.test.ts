import { expect, test } from 'vitest';
import { Health } from '../../src/grpc/health.js';
import { createMetrics } from '../../src/metrics.js';
import { watchReadiness } from '../../src/readiness.js';

test('a sidecar that stops stays unready, whatever a look that was under way finds', async () => {
  let answer: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const stores = { connection: { runId: 'r', refusal: null }, pool: { query: () => asked } };
  const core = { partitions: [], clock: { refusal: null }, flusher: { warnings: [] } };
  const health = new Health();
  const metrics = createMetrics({ processMetrics: false });
  const given: unknown = [stores, core, { warning: null }, health, metrics];
  const readiness = watchReadiness(...(given as Parameters<typeof watchReadiness>));
  readiness.started();
  readiness.end('stopping');
  answer();
  await new Promise((resolve) => setImmediate(resolve));
  expect([health.serving, health.reasons]).toEqual([false, ['stopping']]);
});
