/** Calls that wait within limits: who is late, in which order, and what is left running. */
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { MeterError } from '../../src/client/errors.js';
import { LimitedCall } from '../../src/client/limited-call.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** The names of calls that gave up, in the order in which they did. */
let givenUp: string[];
beforeEach(() => {
  givenUp = [];
});

class Call extends LimitedCall<string> {
  constructor(private readonly name: string) {
    super();
  }

  protected override giveUp(error: MeterError): void {
    givenUp.push(this.name);
    if (this.name === 'throws') throw new Error('a call throws');
    this.reject(error);
  }
}

/** A call that may take so long, and its answer, or the reason for which there is none. */
function start(name: string, timeoutMs?: number, signal?: AbortSignal): [Call, Promise<unknown>] {
  const call = new Call(name);
  return [call, call.within({ timeoutMs, signal }).catch((error: MeterError) => error.reason)];
}

test('calls are late when their time is over, and not before', async () => {
  const [, short] = start('short', 15);
  const [, long] = start('long', 1_000);
  await vi.advanceTimersByTimeAsync(14);
  expect(givenUp).toEqual([]);
  await vi.advanceTimersByTimeAsync(11);
  expect(givenUp).toEqual(['short']);
  await vi.advanceTimersByTimeAsync(960);
  expect(givenUp).toEqual(['short']);
  await vi.advanceTimersByTimeAsync(30);
  expect(await Promise.all([short, long])).toEqual(['TIMED_OUT', 'TIMED_OUT']);
  expect(vi.getTimerCount()).toBe(0);
});

test('calls of one time share a timer and are late in their order, but for those that were answered', async () => {
  const calls = ['a', 'b', 'c', 'd'].map((name) => start(name, 100));
  expect(vi.getTimerCount()).toBe(1);
  calls[3]?.[0].resolve('answered');
  await vi.advanceTimersByTimeAsync(110);
  expect(givenUp).toEqual(['a', 'b', 'c']);
  expect(await calls[3]?.[1]).toBe('answered');
});

test('answers in any order leave nothing running', async () => {
  const calls = ['a', 'b', 'c', 'd'].map((name) => start(name, 100));
  for (const at of [1, 3, 0]) calls[at]?.[0].resolve('answered');
  expect(vi.getTimerCount()).toBe(1);
  calls[2]?.[0].resolve('answered');
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(givenUp).toEqual([]);
});

test('a call that is answered because another one gave up is not late', async () => {
  const [answering] = start('answering', 100);
  const [answered, answer] = start('answered', 100);
  answering.reject = () => answered.resolve('answered');
  await vi.advanceTimersByTimeAsync(110);
  expect(await answer).toBe('answered');
  expect(givenUp).toEqual(['answering']);
});

test('an abort ends the wait and what was running for it', async () => {
  const controller = new AbortController();
  const [, aborted] = start('aborted', 100, controller.signal);
  const [answered] = start('answered', 100, controller.signal);
  answered.resolve('answered');
  controller.abort();
  expect(await aborted).toBe('ABORTED');
  expect(givenUp).toEqual(['aborted']);
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
});

test('where one throws, the others are late all the same', async () => {
  const thrown: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => thrown.push(error.message));
  try {
    start('throws', 100);
    const [, late] = start('late', 100);
    await vi.advanceTimersByTimeAsync(110);
    expect(await late).toBe('TIMED_OUT');
    expect(thrown).toEqual(['a call throws']);
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
});
