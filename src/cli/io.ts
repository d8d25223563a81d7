/** What a command writes to; tests put their own in. */
export interface Io {
  out(line: string): void;
  error(line: string): void;
}

/** Exit codes beside 0. */
export const EXIT = {
  /** The command failed, or the answer is an error. */
  failed: 1,
  /** `verify` could not look: it says nothing about the installation. */
  notVerified: 2,
  /** The answer is DENIED: nothing was changed. */
  denied: 3,
} as const;

/** Ends a command with one clear line. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';

  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
  ) {
    super(message);
  }
}

/** Prints an answer for programs: amounts and times that JSON's readers may not hold exactly are strings. */
export function printJson(io: Io, value: object): void {
  io.out(JSON.stringify(value, null, 2));
}
