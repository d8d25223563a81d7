/** The month that was asked for last, because nearly all events are of one month: start, end, yyyymm. */
let lastMonth = { startMs: 0, endMs: 0, number: 0 };

/** yyyymm, UTC. */
export function monthOf(timeMs: number): number {
  if (timeMs < lastMonth.startMs || timeMs >= lastMonth.endMs) {
    const time = new Date(timeMs);
    const year = time.getUTCFullYear();
    const month = time.getUTCMonth();
    lastMonth = {
      startMs: Date.UTC(year, month, 1),
      endMs: Date.UTC(year, month + 1, 1),
      number: year * 100 + month + 1,
    };
  }
  return lastMonth.number;
}

/** When a month (yyyymm) begins. */
export function monthStartMs(month: number): number {
  return Date.UTC(Math.floor(month / 100), (month % 100) - 1, 1);
}

/**
 * Before this moment nothing is booked any more, though a script that writes nothing does not keep its time. Scripts refuse where the clocks of
 * Redis and a sidecar differ by more than `clockSkewMaxMs`, so Redis' clock cannot go back by more than twice that.
 */
export function closedBefore(redisNowMs: number, clockSkewMaxMs: number): number {
  return redisNowMs - 2 * clockSkewMaxMs;
}
