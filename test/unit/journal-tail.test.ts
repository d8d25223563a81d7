/** What of a journal may be trimmed: nothing that a Postgres without its last transactions needs again. Time is the test's. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { JournalTail } from '../../src/flush/journal-tail.js';

const TAIL_MS = 60_000;
const hourMs = 3_600_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** Flushes whose last records are 10, 20 and 30, one each second. */
function tailOfThree(): JournalTail {
  const tail = new JournalTail(TAIL_MS);
  for (const recordSeq of [10, 20, 30]) {
    tail.committed(recordSeq);
    vi.advanceTimersByTime(1_000);
  }
  return tail;
}

it('what has been in Postgres for journalTailMs is trimmed, except for the record at the cursor', () => {
  const tail = tailOfThree();
  vi.advanceTimersByTime(TAIL_MS - 1_500);
  tail.confirmed(performance.now());
  expect(tail.takeTrimmed(30)).toBe(20);
  vi.advanceTimersByTime(hourMs);
  tail.confirmed(performance.now());
  expect(tail.takeTrimmed(30)).toBe(0);
});

it('nothing is trimmed because time passes while Postgres is away or this process stands still', () => {
  const tail = tailOfThree();
  tail.confirmed(performance.now());
  vi.advanceTimersByTime(hourMs);
  expect(tail.takeTrimmed(30)).toBe(0);
});

it('nothing is trimmed beyond the cursor of a Postgres that went back', () => {
  const tail = tailOfThree();
  vi.advanceTimersByTime(hourMs);
  tail.confirmed(performance.now());
  expect(tail.takeTrimmed(15)).toBe(10);
  expect(tail.takeTrimmed(15)).toBe(0);
  expect(tail.takeTrimmed(0)).toBe(0);
});
