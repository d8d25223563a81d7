import type { MeterError } from './errors.js';
import { LimitedCall } from './limited-call.js';
import type { LiveSession } from './live-session.js';
import type { Quantities, ReleaseResult, SettleResult } from './types.js';

/** The settle or the release of a session, from the call until it is durable. Without a kind: the release of what nobody waits for. */
export class Ending extends LimitedCall<SettleResult | ReleaseResult> {
  /** 'void': it was refused, or goes another way than the stream it was sent on. */
  state: 'waiting' | 'answered' | 'void' = 'waiting';
  /** The number of its session on that stream. */
  number = 0;
  /** The caller still waits for it. */
  isHeard = true;

  constructor(
    readonly session: LiveSession,
    readonly kind: 'settle' | 'release' = 'release',
    readonly quantities: Quantities = {},
    readonly eventTimeMs: number = Date.now(),
  ) {
    super();
  }

  protected override giveUp(error: MeterError): void {
    this.isHeard = false;
    if (this.kind === 'settle' && error.reason === 'TIMED_OUT') this.resolve({ outcome: 'kept' });
    else this.reject(error);
  }
}
