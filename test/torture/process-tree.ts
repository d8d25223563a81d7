/** Signals to processes that were started here, with their own children where they have some. */
import { readFileSync } from 'node:fs';
import { endProcess, isAlive, signal } from '../../src/embedded/process.js';

/** Ends with this process, should that leave without an end of its own. */
const living = new Set<() => number>();
process.on('exit', () => {
  for (const pidOf of living) {
    const pid = pidOf();
    if (pid > 0) signal(pid, 'SIGKILL');
  }
});

/** `pidOf` names the process that runs now; 0: none does. */
export function endsWithUs(pidOf: () => number): void {
  living.add(pidOf);
}

/** SIGKILL cannot be refused; what remains is the kernel's own work. */
const KILL_MAX_MS = 10_000;

/** A process and what it has forked, which for Postgres are its backends. */
function treeOf(pid: number): number[] {
  const forked = (parent: number): number[] => {
    try {
      const text = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim();
      return text === '' ? [] : text.split(' ').map(Number);
    } catch {
      return [];
    }
  };
  return [pid, ...forked(pid).flatMap(treeOf)];
}

export function freeze(pid: number): void {
  for (const one of treeOf(pid)) signal(one, 'SIGSTOP');
}

export function wake(pid: number): void {
  for (const one of treeOf(pid)) signal(one, 'SIGCONT');
}

/** Ends it as a power cut would; resolves when all of it is gone. */
export async function kill9(pid: number): Promise<void> {
  const all = treeOf(pid);
  for (const one of all) signal(one, 'SIGKILL');
  await Promise.all(
    all.filter(isAlive).map((one) => endProcess(one, [{ signal: 'SIGKILL', limitMs: KILL_MAX_MS }])),
  );
}

/** Resident memory in bytes; 0 where it is gone. */
export function residentBytes(pid: number): number {
  try {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1_024;
  } catch {
    return 0;
  }
}
