/** Whether the event loop is busy, on this thread's own loop. */
import { expect, it } from 'vitest';
import { LoopPressure } from '../../src/usage/loop-pressure.js';

/** Several times as long as it measures. */
const LONG_MS = 400;

it('an event loop that works all the time is under pressure, one that waits is not', async () => {
  const pressure = new LoopPressure();
  expect(pressure.level).toBe(0);
  await new Promise((resolve) => setImmediate(resolve));
  const busyUntil = performance.now() + LONG_MS;
  while (performance.now() < busyUntil);
  await new Promise((resolve) => setImmediate(resolve));
  expect(pressure.level).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, LONG_MS));
  expect(pressure.level).toBe(0);
});
