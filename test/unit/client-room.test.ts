import { expect, test } from 'vitest';
import { Backoff } from '../../src/client/backoff.js';
import { MeterError } from '../../src/client/errors.js';
import { type Guest, Room, type RoomLimits } from '../../src/client/room.js';

const limits: RoomLimits = { eventsMax: 10, bytesMax: 1_000, whenFull: 'block' };

/** A guest that remembers what became of it. */
function guest(events: number, bytes = events): Guest & { state: string } {
  const one = {
    events,
    bytes,
    state: 'waits',
    admit: () => {
      one.state = 'in';
    },
    refuse: (error: MeterError) => {
      one.state = `${error.reason} ${error.retryable}`;
    },
  };
  return one;
}

function enter(room: Room, ...guests: (Guest & { state: string })[]): void {
  for (const one of guests) room.enter(one);
}

test('guests wait in their order until all of what they bring has room', () => {
  const room = new Room(limits);
  const [first, large, small] = [guest(8), guest(5), guest(1)];
  enter(room, first, large, small);
  expect([first.state, large.state, small.state]).toEqual(['in', 'waits', 'waits']);
  room.release(2, 2);
  expect(large.state).toBe('waits');
  room.release(1, 1);
  expect([large.state, small.state]).toEqual(['in', 'waits']);
  room.release(5, 5);
  expect(small.state).toBe('in');
  expect(room.events).toBe(6);
});

test('bytes are a limit as the number is', () => {
  const room = new Room(limits);
  const [first, second] = [guest(1, 999), guest(1, 2)];
  enter(room, first, second);
  expect([first.state, second.state]).toEqual(['in', 'waits']);
  expect(room.bytes).toBe(999);
});

test('no more waits than is kept', () => {
  const room = new Room(limits);
  const [kept, waiting, tooMany] = [guest(10), guest(10), guest(1)];
  enter(room, kept, waiting, tooMany);
  expect([waiting.state, tooMany.state]).toEqual(['waits', 'KEPT_FULL true']);
  room.leave(waiting);
  const next = guest(1);
  enter(room, next);
  expect(next.state).toBe('waits');
});

test('whoever leaves makes way for those behind', () => {
  const room = new Room(limits);
  const [kept, large, small] = [guest(5), guest(6), guest(4)];
  enter(room, kept, large, small);
  room.leave(large);
  expect(small.state).toBe('in');
});

test('what can never have room is refused for good, and a room that refuses does so at once', () => {
  const room = new Room({ ...limits, whenFull: 'refuse' });
  const [never, first, second] = [guest(11), guest(10), guest(1)];
  enter(room, never, first, second);
  expect([never.state, first.state, second.state]).toEqual(['KEPT_FULL false', 'in', 'KEPT_FULL true']);
  expect(() => room.take(1, 1)).toThrow(MeterError);
  room.release(1, 1);
  room.take(1, 1);
  expect(room.events).toBe(10);
});

test('an empty room says so', async () => {
  const room = new Room(limits);
  await room.empty();
  enter(room, guest(2));
  let isEmpty = false;
  const empty = room.empty().then(() => {
    isEmpty = true;
  });
  room.release(1, 1);
  await Promise.resolve();
  expect(isEmpty).toBe(false);
  room.release(1, 1);
  await empty;
  expect(isEmpty).toBe(true);
});

test('tries grow apart up to a bound, by chance, and never before the sidecar asks for them', () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 20 }, () => backoff.next());
  for (const [i, wait] of waits.entries()) {
    const full = Math.min(2_000, 50 * 2 ** i);
    expect(wait).toBeGreaterThanOrEqual(full / 2);
    expect(wait).toBeLessThanOrEqual(full);
  }
  backoff.reset();
  expect(backoff.next()).toBeLessThanOrEqual(50);
  expect(backoff.next(700)).toBeGreaterThan(700);
});
