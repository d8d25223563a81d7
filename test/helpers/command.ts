import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';
import { temporaryDirectory } from './stores.js';
import { until } from './until.js';

export interface CommandRun {
  readonly code: number | null;
  readonly output: string;
  /** What the command wrote with --json. */
  readonly json: unknown;
  /** What it left in its temporary folder. */
  readonly left: readonly string[];
}

export interface ProcessRun {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  /** What it left in its temporary folder. */
  readonly left: readonly string[];
}

/** Runs a compiled program that takes `--json FILE`, with a temporary folder of its own. */
export async function runCompiled(file: string, parameters: readonly string[]): Promise<CommandRun> {
  const directory = temporaryDirectory();
  const jsonFile = join(directory, 'figures.json');
  const { code, output, errors, left } = await runProcess(file, [...parameters, '--json', jsonFile]);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(jsonFile, 'utf8'));
  } catch {
    json = undefined; // Not written: what the command printed says why.
  }
  rmSync(directory, { recursive: true, force: true });
  return { code, output: output + errors, json, left };
}

/** Runs a compiled program with a temporary folder of its own; a signal is sent once something is in that folder. */
export async function runProcess(
  file: string,
  parameters: readonly string[],
  signal?: NodeJS.Signals,
): Promise<ProcessRun> {
  const directory = temporaryDirectory();
  // As root, Postgres runs as another user, who must be able to pass.
  chmodSync(directory, 0o711);
  const child = spawn(process.execPath, [file, ...parameters], {
    cwd: packageRoot,
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  }
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  if (signal !== undefined) {
    await until('it began', async () => readdirSync(directory).length > 0);
    child.kill(signal);
  }
  const code = await closed;
  const left = readdirSync(directory);
  rmSync(directory, { recursive: true, force: true });
  return { code, output: written.stdout, errors: written.stderr, left };
}
