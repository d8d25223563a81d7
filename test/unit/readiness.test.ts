import { HealthImplementation } from 'grpc-health-check';
import { expect, test, vi } from 'vitest';
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

test('what closes while Postgres hangs is told to those who watch, once', async () => {
  vi.useFakeTimers();
  try {
    let hangs = false;
    let closed: { message: string } | null = null;
    const query = () => (hangs ? new Promise(() => undefined) : Promise.resolve());
    const stores = { connection: { runId: 'r', refusal: null }, pool: { query } };
    const core = {
      partitions: [{ unavailability: () => closed }],
      clock: { refusal: null },
      flusher: { warnings: [] },
    };
    const published: string[] = [];
    const publish = vi.spyOn(HealthImplementation.prototype, 'setStatus');
    publish.mockImplementation((service, status) => {
      if (service === '') published.push(status as string);
    });
    const health = new Health();
    const metrics = createMetrics({ processMetrics: false });
    const given: unknown = [stores, core, { warning: null }, health, metrics];
    const readiness = watchReadiness(...(given as Parameters<typeof watchReadiness>));
    readiness.started();
    await vi.advanceTimersByTimeAsync(3_000);
    hangs = true;
    await vi.advanceTimersByTimeAsync(3_000);
    closed = { message: 'partition 0 is closed' };
    await vi.advanceTimersByTimeAsync(3_000);
    expect(published).toEqual(['NOT_SERVING', 'SERVING', 'NOT_SERVING']);
    readiness.end('stopping');
  } finally {
    vi.restoreAllMocks();
    vi.useRealTimers();
  }
});
