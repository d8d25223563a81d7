/** The unprivileged user that runs Postgres when the sidecar runs as root. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Owner } from './socket.js';

/** The first that exists: the usual owner of a Postgres, else the user that is there on every system. */
const candidates = ['postgres', 'nobody'];

export function unprivilegedUser(): Owner {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of candidates) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
    const owner = { uid: Number(fields?.[2]), gid: Number(fields?.[3]) };
    if (owner.uid > 0 && owner.gid > 0) {
      return owner;
    }
  }
  throw new Error(
    `Postgres does not run as root and neither user exists: ${candidates.join(', ')}. ` +
      'Run the sidecar as another user, or set DRAWDOWN_POSTGRES_URL',
  );
}

/** Whether the user may pass through every directory above the path; those not made yet will let it pass. */
export function canReach(path: string, owner: Owner): boolean {
  for (let directory = dirname(resolve(path)); ; directory = dirname(directory)) {
    const stat = statSync(directory, { throwIfNoEntry: false });
    if (stat !== undefined && !mayPass(stat, owner)) {
      return false;
    }
    if (directory === dirname(directory)) {
      return true;
    }
  }
}

function mayPass(stat: { mode: number; uid: number; gid: number }, owner: Owner): boolean {
  if (stat.uid === owner.uid) {
    return (stat.mode & 0o100) !== 0;
  }
  if (stat.gid === owner.gid) {
    return (stat.mode & 0o010) !== 0;
  }
  return (stat.mode & 0o001) !== 0;
}
