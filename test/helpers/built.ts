/** Vitest's global setup: the command and the sidecar's threads run from compiled code, which must be that of the sources under test. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';

export default function setup(): void {
  execFileSync(join(packageRoot, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.json'], {
    cwd: packageRoot,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}
