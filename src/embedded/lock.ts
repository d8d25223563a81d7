/** One owner per data directory: a lock file that names the owner and is void once that process is gone. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, startTicks } from './process.js';

/** Each attempt means that another process came in between; more than a few of them mean trouble. */
const attemptsMax = 10;

export interface OwnerLock {
  release(): void;
}

/**
 * Takes the lock or throws with the owner's pid. `link` makes the file appear whole or not at all; a void lock is moved
 * aside and read again, so two processes that find it void at once cannot both win.
 */
export function takeOwnerLock(dataDir: string): OwnerLock {
  mkdirSync(dataDir, { recursive: true });
  const file = join(dataDir, 'owner.lock');
  const mine = `${process.pid} ${startTicks(process.pid) ?? '-'}\n`;
  const draft = `${file}.${process.pid}.new`;
  const aside = `${file}.${process.pid}.void`;
  writeFileSync(draft, mine);
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      if (tryLink(draft, file)) {
        return { release: () => releaseOwnerLock(file, mine) };
      }
      const found = readOrUndefined(file);
      if (found === undefined) {
        continue;
      }
      const ownerPid = livingOwner(found);
      if (ownerPid !== undefined) {
        throw new Error(
          `The data directory ${dataDir} is in use by process ${ownerPid}; ` +
            'stop it, or give this sidecar a data directory of its own (--data-dir)',
        );
      }
      moveAside(file, aside, found);
    }
    throw new Error(`Could not take the lock ${file}: it changes all the time`);
  } finally {
    rmSync(draft, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

function moveAside(file: string, aside: string, judged: string): void {
  try {
    renameSync(file, aside);
  } catch {
    return; // Somebody else moved it first: judge again.
  }
  if (readOrUndefined(aside) !== judged) {
    tryLink(aside, file); // It was a new owner's lock: give it back.
  }
  rmSync(aside, { force: true });
}

function livingOwner(content: string): number | undefined {
  const [pidText = '', ticks] = content.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) {
    return undefined;
  }
  const now = startTicks(pid);
  return now === undefined || ticks === '-' || now === ticks ? pid : undefined;
}

function readOrUndefined(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function releaseOwnerLock(file: string, mine: string): void {
  if (readOrUndefined(file) === mine) {
    rmSync(file, { force: true });
  }
}
