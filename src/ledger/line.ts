/** A line of the ledger, as an audit reads it. Amounts are whole units; texts of JSON stand as they were written. */
export interface LedgerLine {
  readonly accountKey: number;
  readonly accountSeq: number;
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
  readonly kind: string;
  readonly id: string;
  readonly bookedTimeMs: number;
  readonly agent: string;
  readonly meter: string;
  readonly model: string;
  /** JSON object of counts by name. */
  readonly quantities: string;
  readonly catalogVersion: number;
  /** Empty: none. */
  readonly unit: string;
  readonly granted: number;
  readonly spent: number;
  readonly expired: number;
  readonly converted: number;
  readonly debt: number;
  readonly released: number;
  /** JSON array of [lot, change of remaining]. */
  readonly lots: string;
  readonly remainingAfter: number;
  readonly heldAfter: number;
  readonly debtAfter: number;
  /** Names, separated by commas. */
  readonly flags: string;
  /** JSON object of texts, or null. */
  readonly note: string | null;
}

/** (lot, change of remaining), or null where the text is not of that form. */
export function lotChanges(line: LedgerLine): [lot: number, change: number][] | null {
  const parsed = parse(line.lots);
  if (!Array.isArray(parsed)) return null;
  for (const pair of parsed) {
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(Number.isSafeInteger)) return null;
  }
  return parsed as [number, number][];
}

/** (name, count), or null where the text is not of that form. */
export function quantityCounts(line: LedgerLine): [name: string, count: number][] | null {
  const parsed = parse(line.quantities);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
  const counts = Object.entries(parsed);
  return counts.every(([, count]) => Number.isSafeInteger(count)) ? counts : null;
}

/** What the session of a late settle was charged before, as the line's note says. */
export function notedChargeBefore(line: LedgerLine): number {
  const parsed = line.note === null ? null : parse(line.note);
  if (typeof parsed !== 'object' || parsed === null) return 0;
  const { charged_before: charged } = parsed as { charged_before?: unknown };
  return Number.isSafeInteger(charged) ? (charged as number) : 0;
}

/** The status that a line's note gives the account; null where it gives none. */
export function notedStatus(line: LedgerLine): string | null {
  const parsed = line.note === null ? null : parse(line.note);
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { status } = parsed as { status?: unknown };
  return typeof status === 'string' ? status : null;
}

/** What the note of a line says of the account's plan; null where it says nothing. Times of 0: open. */
export function notedPlan(
  line: LedgerLine,
): { plan: string; event: string; fromMs: number; toMs: number } | null {
  const parsed = line.note === null ? null : parse(line.note);
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { plan, plan_event = '', from_ms = 0, to_ms = 0 } = parsed as Record<string, unknown>;
  if (typeof plan !== 'string' || typeof plan_event !== 'string') return null;
  if (!Number.isSafeInteger(from_ms) || !Number.isSafeInteger(to_ms)) return null;
  return { plan, event: plan_event, fromMs: from_ms as number, toMs: to_ms as number };
}

/** What the note of a line says of an agent; null where it says nothing. */
export function notedAgent(
  line: LedgerLine,
): { event: string; tier: string; fromMs: number; toMs: number } | null {
  const parsed = line.note === null ? null : parse(line.note);
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { agent_event, tier, from_ms, to_ms } = parsed as Record<string, unknown>;
  if (typeof agent_event !== 'string' || typeof tier !== 'string') return null;
  if (!Number.isSafeInteger(from_ms) || !Number.isSafeInteger(to_ms)) return null;
  return { event: agent_event, tier, fromMs: from_ms as number, toMs: to_ms as number };
}

export function hasFlag(line: LedgerLine, flag: string): boolean {
  return line.flags !== '' && line.flags.split(',').includes(flag);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
