import type { AppliedBatch } from './usage-batch.js';

/** Everything that callers of the demo sent and were told. Numbers stay below 2^53 for years of such a load. */
export class Tally {
  readonly events = { sent: 0, applied: 0, denied: 0, duplicate: 0, overdrawn: 0 };
  /** Of the sent ones: sent again on purpose. */
  repeated = 0;
  durableEvents = 0;
  readonly reservations = { made: 0, denied: 0, settled: 0, released: 0 };
  /** Of the settled ones: with about half of what was set aside, because the work was cut off. */
  settledShort = 0;
  /** Lines of the ledger that conversions for settles took beside theirs. */
  conversionLines = 0;
  /** Micro-credits and characters that callers were told they were charged. */
  readonly charged = { credits: 0, tts_characters: 0, llm_messages: 0 };
  /** Numbers of reasons as in the proto -> refused events. */
  readonly refusedBecause = new Map<number, number>();
  /** From applied to durable, per batch. */
  readonly #durableLagsMs: number[] = [];

  applied(answer: AppliedBatch): void {
    const { recorded, refused, duplicate, overdrawn, chargedMicros, refusedBecause } = answer;
    this.events.applied += recorded;
    this.events.denied += refused;
    this.events.duplicate += duplicate;
    this.events.overdrawn += overdrawn;
    this.charged.credits += chargedMicros;
    for (const [reason, count] of refusedBecause) {
      this.refusedBecause.set(reason, (this.refusedBecause.get(reason) ?? 0) + count);
    }
  }

  durable(answer: AppliedBatch, lagMs: number): void {
    this.durableEvents += answer.recorded;
    this.#durableLagsMs.push(lagMs);
  }

  durableLagMs(): { p50: number; p99: number } {
    const sorted = Float64Array.from(this.#durableLagsMs).sort();
    const at = (part: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
    return { p50: at(0.5), p99: at(0.99) };
  }
}
