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
