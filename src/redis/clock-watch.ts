import type { Logger } from 'pino';
import type { RedisConnection } from './connection.js';

const LOOK_EVERY_MS = 1_000;

/**
 * Compares Redis' clock with this process' own, once a second. The scripts compare by themselves in every call and refuse; this is
 * what tells people, and who is to act on it without a call.
 */
export class ClockWatch {
  #skewMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: RedisConnection,
    private readonly clockSkewMaxMs: number,
    private readonly logger: Logger,
  ) {}

  /** Resolves after the first look. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
    await this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Redis' clock minus ours, as far as the way of the answer does not explain it. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** Why everything is refused, in words for an operator; null while the clocks agree. */
  get refusal(): string | null {
    if (Math.abs(this.#skewMs) <= this.clockSkewMaxMs) return null;
    return `Redis' clock differs by ${this.#skewMs} ms from the sidecar's, clockSkewMaxMs is ${this.clockSkewMaxMs}: correct the clock`;
  }

  /** Never rejects: whether Redis answers is for others to say. */
  async #look(): Promise<void> {
    const before = this.refusal;
    try {
      const askedMs = Date.now();
      const [seconds, micros] = await this.connection.client.time();
      const nowMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
      this.#skewMs = Math.min(0, nowMs - askedMs) + Math.max(0, nowMs - Date.now());
    } catch {
      return;
    }
    const { refusal } = this;
    if (refusal !== null && before === null) this.logger.error({ reason: refusal }, 'everything is refused');
    if (refusal === null && before !== null) this.logger.warn('the clocks agree again');
  }
}
