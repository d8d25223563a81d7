import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/paths.js';
import { temporaryDirectory } from './stores.js';

export interface CommandRun {
  readonly code: number | null;
  readonly output: string;
  /** What the command wrote with --json. */
  readonly json: unknown;
  /** What it left in its temporary folder. */
  readonly left: readonly string[];
}

/** Runs a compiled program that takes `--json FILE`, with a temporary folder of its own. */
export async function runCompiled(file: string, parameters: readonly string[]): Promise<CommandRun> {
  const directory = temporaryDirectory();
  // As root, Postgres runs as another user, who must be able to pass.
  chmodSync(directory, 0o711);
  const jsonFile = join(directory, 'figures.json');
  const child = spawn(process.execPath, [file, ...parameters, '--json', jsonFile], {
    cwd: packageRoot,
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(jsonFile, 'utf8'));
    rmSync(jsonFile);
  } catch {
    json = undefined; // Not written: what the command printed says why.
  }
  const left = readdirSync(directory);
  rmSync(directory, { recursive: true, force: true });
  return { code, output, json, left };
}
