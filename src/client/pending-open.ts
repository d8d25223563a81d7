import type { MeterError } from './errors.js';
import { LimitedCall } from './limited-call.js';
import type { LiveSession } from './live-session.js';
import type { Guest } from './room.js';
import type { Session } from './session-types.js';

/** Who sees to sessions that wait for their verdict. */
export interface OpensOwner {
  /** There is room for it. */
  admitted(session: LiveSession): void;
  /** There is none. */
  refused(session: LiveSession, error: MeterError): void;
  /** The caller has aborted its open, or its time is over. */
  givenUp(session: LiveSession, error: MeterError): void;
}

/** The call of `open` that waits for a verdict. */
export class PendingOpen extends LimitedCall<Session> implements Guest {
  readonly events = 1;
  isAdmitted = false;
  /** Why it has no verdict yet. */
  error: MeterError | null = null;

  constructor(
    private readonly session: LiveSession,
    private readonly owner: OpensOwner,
  ) {
    super();
  }

  get bytes(): number {
    return this.session.costBytes;
  }

  admit(): void {
    this.isAdmitted = true;
    this.owner.admitted(this.session);
  }

  refuse(error: MeterError): void {
    this.owner.refused(this.session, error);
  }

  protected override giveUp(error: MeterError): void {
    this.owner.givenUp(this.session, error);
  }
}
