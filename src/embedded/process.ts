/** Questions about operating-system processes that the stores and the owner lock share. */
import { execFile } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** 20 ms: short against the 50 ms a store needs to start, long enough to cost nothing while one recovers. */
export const pollIntervalMs = 20;

/** A zombie still answers signal 0 but will never serve again, so it counts as dead. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') {
      return false;
    }
  }
  return statFields(pid)?.[0] !== 'Z';
}

/** Sends a signal; a process that is gone already is what the caller wanted. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

/**
 * Tells one life of a pid from the next: the kernel's start time in ticks since boot (field 22 of /proc/pid/stat).
 * Undefined where there is no /proc: there a pid alone is compared.
 */
export function startTicks(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

/** Fields of /proc/pid/stat from the third on; the second, the name, may itself hold blanks and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The command line of a process, or '' when it is gone. A pid from a file may have gone to a stranger. */
export async function commandLine(pid: number): Promise<string> {
  if (existsSync('/proc/self/cmdline')) {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  }
  return run('ps', ['-o', 'command=', '-p', String(pid)]).then(
    (result) => result.stdout,
    () => '',
  );
}

/** Waits until the condition holds; false when it did not within the limit. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  options: { limitMs: number; intervalMs?: number },
): Promise<boolean> {
  const deadlineMs = performance.now() + options.limitMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) {
      return false;
    }
    await sleep(options.intervalMs ?? pollIntervalMs);
  }
  return true;
}

/** Sends the signals in turn, each with its time to take effect, until the process is gone. */
export async function endProcess(
  pid: number,
  steps: readonly { signal: NodeJS.Signals; limitMs: number }[],
): Promise<void> {
  for (const step of steps) {
    signal(pid, step.signal);
    if (await waitUntil(() => !isAlive(pid), { limitMs: step.limitMs })) {
      return;
    }
  }
  throw new Error(`Process ${pid} did not end after ${steps.map((step) => step.signal).join(', ')}`);
}

/** The last lines of a log file, for an error message that says why a store did not start. */
export function logTail(file: string): string {
  const tailBytesMax = 2_000;
  try {
    const descriptor = openSync(file, 'r');
    try {
      const { size } = fstatSync(descriptor);
      const buffer = Buffer.alloc(Math.min(size, tailBytesMax));
      readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
      return buffer.toString('utf8').trim();
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '(no log)';
  }
}
