/**
 * Where the files live that are read at run time and never compiled. They are found from the package root, so the
 * same code works from `dist/`, from a benchmark's output folder and from the sources under a test runner.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findPackageRoot(from: string): string {
  for (let directory = from; directory !== dirname(directory); directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) {
      return directory;
    }
  }
  throw new Error(`No package.json above ${from}: the installation is incomplete`);
}

export const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

/**
 * A compiled file (relative to src) that a thread is started from: the one beside the module of this address, or, where that runs
 * from its source, the one that was built.
 */
export function compiledFile(moduleUrl: string, file: string): string {
  const depth = file.split('/').length - 1;
  const root = join(dirname(fileURLToPath(moduleUrl)), ...Array.from({ length: depth }, () => '..'));
  return moduleUrl.endsWith('.js') ? join(root, file) : join(packageRoot, 'dist', file);
}

/** Root of the proto files: imports are `drawdown/v1/...` below it. */
export const protoDirectory = join(packageRoot, 'proto');

export const luaDirectory = join(packageRoot, 'lua');

/** Plain SQL files, applied in the order of their names. */
export const migrationsDirectory = join(packageRoot, 'src', 'postgres', 'migrations');

/** The catalog that expresses the shipped credit policy. */
export const catalogFile = join(packageRoot, 'catalog.yaml');
