/**
 * One clock for everything that a simulation touches: this process' Date, Redis' TIME as the sidecar asks for it, and the scripts,
 * which take the time through lua/includes/clock.lua. It stands still until it is set; timers go on as ever. All sides move
 * together, so every check of clocks and event times holds as ever. Only tests and the demo of the policy have one: no setting reaches it.
 */
import type { RedisConnection } from '../redis/connection.js';

export const CLOCK_KEY = 'simulation:clock';

/** Takes the place of lua/includes/clock.lua. */
export const SIMULATED_INCLUDES: ReadonlyMap<string, string> = new Map([
  ['clock', `local function clock_ms() return tonumber(redis.call('GET', '${CLOCK_KEY}')) end\n`],
]);

/** What waits for the flusher while days pass in a moment seems to have waited for days. */
export const JOURNAL_AGE_MAX_MS = Number.MAX_SAFE_INTEGER;

export class SimulatedClock {
  #nowMs: number;
  readonly #connections = new Set<RedisConnection>();
  readonly #realDate = globalThis.Date;

  constructor(startMs: number) {
    this.#nowMs = startMs;
    const clock = this;
    globalThis.Date = class extends this.#realDate {
      constructor(...given: unknown[]) {
        super(...((given.length === 0 ? [clock.nowMs] : given) as [number]));
      }

      static override now(): number {
        return clock.nowMs;
      }
    } as DateConstructor;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Every server of a simulation is told the time through one of its connections. */
  async rule(connection: RedisConnection): Promise<void> {
    this.#connections.add(connection);
    const time = async () => [Math.floor(this.#nowMs / 1000), (this.#nowMs % 1000) * 1000];
    Object.assign(connection.client, { time });
    await connection.client.set(CLOCK_KEY, String(this.#nowMs));
  }

  leave(connection: RedisConnection): void {
    this.#connections.delete(connection);
  }

  /** Only while nothing is under way: what was decided at one time must not be answered at another. */
  async set(nowMs: number): Promise<void> {
    if (nowMs < this.#nowMs) throw new Error('time does not go back');
    this.#nowMs = nowMs;
    for (const { client } of this.#connections) await client.set(CLOCK_KEY, String(nowMs));
  }

  restore(): void {
    globalThis.Date = this.#realDate;
  }
}
