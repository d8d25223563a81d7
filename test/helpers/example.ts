/** The examples as processes of their own: they import `drawdown/client` from dist, as programs of others would. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';
import { until } from './until.js';

export interface RunningExample {
  /** What it says it listens on. */
  readonly url: string;
  /** What it has written, line by line. */
  readonly lines: () => string[];
  /** Its exit code after SIGTERM. */
  stop(): Promise<number | null>;
}

export async function startExample(example: string, parameters: readonly string[]): Promise<RunningExample> {
  const child = spawn(process.execPath, [join(packageRoot, 'examples', example), ...parameters], {
    cwd: packageRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const onLeave = (): void => void child.kill('SIGKILL');
  process.on('exit', onLeave);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
  }
  const lines = (): string[] => output.split('\n').slice(0, -1);
  const url = await until(`${example} listens`, () => {
    if (child.exitCode !== null) throw new Error(`${example} ended:\n${output}`);
    return /http:\/\/\S+/.exec(lines().join('\n'))?.[0];
  });
  return {
    url,
    lines,
    stop: () =>
      new Promise((resolve) => {
        process.off('exit', onLeave);
        child.on('exit', resolve);
        child.kill('SIGTERM');
      }),
  };
}
