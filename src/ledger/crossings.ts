/** A threshold that what is available went across: down to it or below, or up above it. */
export interface Crossing {
  readonly threshold: bigint;
  readonly direction: 'down' | 'up';
}

/** Which thresholds lie between two amounts, in the order in which they were passed. `thresholds` rise. */
export function crossingsBetween(before: number, after: number, thresholds: readonly bigint[]): Crossing[] {
  const direction = after < before ? 'down' : 'up';
  const [low, high] = direction === 'down' ? [after, before] : [before, after];
  const passed = thresholds.filter((threshold) => low <= threshold && threshold < high);
  if (direction === 'down') passed.reverse();
  return passed.map((threshold) => ({ threshold, direction }));
}
