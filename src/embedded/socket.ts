/** Where the stores' unix sockets lie. */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** sockaddr_un holds 108 bytes on Linux and 104 on macOS, one of them the closing zero. */
const socketPathBytesMax = process.platform === 'linux' ? 107 : 103;

export interface Owner {
  uid: number;
  gid: number;
}

/** Where socketDirectory() puts a socket's directory; makes nothing. */
export function socketDirectoryOf(preferred: string, socketName: string): string {
  const plain = /^[A-Za-z0-9._/-]+$/.test(preferred);
  const fits = Buffer.byteLength(join(preferred, socketName)) <= socketPathBytesMax;
  const hash = createHash('sha256').update(preferred).digest('hex').slice(0, 16);
  return plain && fits ? preferred : join(tmpdir(), `drawdown-${hash}`);
}

/**
 * The preferred directory, or, where a socket's path there would be too long or would need escaping in a URL, a short
 * one under the temporary directory, named by a hash of the preferred one. Either way it exists afterwards, belongs
 * to `owner` (or to this process) and is closed to everybody else.
 */
export function socketDirectory(preferred: string, socketName: string, owner?: Owner): string {
  const directory = socketDirectoryOf(preferred, socketName);
  mkdirSync(directory, { recursive: true, mode: 0o700 });

  // The temporary directory is everybody's: a stranger may have made this name first, or made it a link.
  const stat = lstatSync(directory);
  const self = process.getuid?.() ?? stat.uid;
  const expected = owner?.uid ?? self;
  if (!stat.isDirectory() || (stat.uid !== expected && stat.uid !== self)) {
    throw new Error(
      `The socket directory ${directory} belongs to somebody else; remove it or move the data directory`,
    );
  }
  chmodSync(directory, 0o700);
  if (owner !== undefined) {
    chownSync(directory, owner.uid, owner.gid);
  }
  return directory;
}
