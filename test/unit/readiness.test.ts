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
  expect(health.now()).toMatchObject({ ready: false, reasons: ['stopping'] });
});

test('a partition that closes between two looks is told to whoever asks', async () => {
  let closed: { message: string } | null = null;
  const stores = { connection: { runId: 'r', refusal: null }, pool: { query: async () => undefined } };
  const core = {
    partitions: [{ unavailability: () => closed }],
    clock: { refusal: null },
    flusher: { warnings: [] },
  };
  const health = new Health();
  const metrics = createMetrics({ processMetrics: false });
  const given: unknown = [stores, core, { warning: null }, health, metrics];
  const readiness = watchReadiness(...(given as Parameters<typeof watchReadiness>));
  readiness.started();
  await new Promise((resolve) => setImmediate(resolve));
  expect(health.now()).toEqual({ ready: true, reasons: [], warnings: [] });
  closed = { message: 'partition 0 is closed' };
  expect(health.now()).toEqual({ ready: false, reasons: ['partition 0 is closed'], warnings: [] });
  readiness.end('stopping');
});
