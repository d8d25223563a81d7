/** Runs named tests in a copy of the sources. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './judge.js';
import { fullName, type NamedTest } from './mutants.js';

/** A named test takes seconds; the first run builds the copy. A limit that says "it hangs". */
const RUN_LIMIT_MS = 180_000;
/** Of what vitest printed, as much as says why there is no report. */
const OUTPUT_KEPT_CHARS = 2_000;

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Runs tests of one file, and nothing else of it. Rejects where vitest made no report. */
export async function runTests(
  directory: string,
  tests: readonly [NamedTest, ...NamedTest[]],
  signal: AbortSignal,
): Promise<Report> {
  const reportFile = join(directory, 'mutants-report.json');
  rmSync(reportFile, { force: true });
  const pattern = `^(${tests.map((test) => escaped(fullName(test))).join('|')})$`;
  const output = await run(
    directory,
    ['run', tests[0].file, '-t', pattern, '--reporter=json', `--outputFile=${reportFile}`],
    signal,
  );
  if (!existsSync(reportFile)) throw new Error(`vitest made no report:\n${output}`);
  return JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
}

function run(directory: string, parameters: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const vitest = join(directory, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [vitest, ...parameters], {
      cwd: directory,
      signal,
      timeout: RUN_LIMIT_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        output = `${output}${data}`.slice(-OUTPUT_KEPT_CHARS);
      });
    child.on('error', (error) => {
      // Else it runs, and says when it has ended.
      if (child.pid === undefined) reject(error);
    });
    child.on('close', (_, killedBy) => {
      if (signal.aborted) reject(signal.reason);
      else if (killedBy === null) resolve(output);
      else reject(new Error(`vitest was ended by ${killedBy} after at most ${RUN_LIMIT_MS} ms:\n${output}`));
    });
  });
}
