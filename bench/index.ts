import { writeFileSync } from 'node:fs';
import { describeMachine } from './machine.js';
import { type BenchOptions, help, parseBenchOptions } from './options.js';
import { machineLines, resultLines } from './report.js';
import type { Result } from './result.js';
import { recordVariants, runRecord } from './scenarios/record.js';
import { runSessions, sessionsVariants } from './scenarios/sessions.js';

interface Scenario {
  readonly variants: readonly string[];
  run(variant: string, options: BenchOptions, signal: AbortSignal): Promise<Result>;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  record: {
    variants: recordVariants,
    run: (variant, { record }, signal) => runRecord(variant, { ...record, signal }, progress),
  },
  sessions: {
    variants: sessionsVariants,
    run: (variant, { sessions }, signal) => runSessions(variant, { ...sessions, signal }, progress),
  },
};

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Ctrl-C stops what was started, and removes it. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

async function main(argv: readonly string[]): Promise<void> {
  const options = parseBenchOptions(argv);
  if (options === null) return say(help);
  const names = options.scenarios.length > 0 ? options.scenarios : Object.keys(scenarios);
  const runs = names.flatMap((name) => {
    const scenario = scenarios[name];
    if (scenario === undefined) throw new Error(`No scenario ${name}: ${Object.keys(scenarios).join(', ')}`);
    const unknown = options.variants.find((one) => !scenario.variants.includes(one));
    if (unknown !== undefined)
      throw new Error(`${name} has no variant ${unknown}: ${scenario.variants.join(', ')}`);
    const variants = options.variants.length > 0 ? options.variants : scenario.variants;
    return variants.map((variant) => ({ scenario, variant }));
  });
  for (const line of machineLines(describeMachine())) say(line);
  say(`npm run bench -- ${argv.join(' ')}`.trimEnd());
  const results: Result[] = [];
  const signal = interrupted();
  for (const { scenario, variant } of runs) results.push(await scenario.run(variant, options, signal));
  for (const line of resultLines(results)) say(line);
  if (options.jsonFile !== undefined)
    writeFileSync(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
