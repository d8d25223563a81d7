import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';

/** Compiles sources and benchmarks for a test that runs them as processes; a folder of its own, so that tests run side by side. */
export function compileAll(name: string): string {
  const directory = join(packageRoot, 'node_modules/.cache', `drawdown-${name}`);
  const tsc = join(packageRoot, 'node_modules/.bin/tsc');
  const buildInfo = join(directory, '.tsbuildinfo');
  execFileSync(tsc, ['-p', 'tsconfig.bench.json', '--outDir', directory, '--tsBuildInfoFile', buildInfo], {
    cwd: packageRoot,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return directory;
}
