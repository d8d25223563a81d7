/**
 * `npm run mutants [-- --only NAME ... | --list] [--json FILE]`: applies known bugs, one after the other, to a copy of the sources, and
 * expects of each that the test named for it fails. docs/reliability.md says which.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { SourceCopy } from './copy.js';
import { judge, type Verdict } from './judge.js';
import { fullName, MUTANTS, type Mutant, type NamedTest } from './mutants.js';
import { runTests } from './run.js';

interface Outcome {
  readonly name: string;
  readonly result: 'caught' | 'survived' | 'broken';
  readonly test: string;
  readonly seconds: number;
  /** The assertion that did not hold, or what else went wrong. */
  readonly said: string;
}

function chosen(names: readonly string[]): readonly Mutant[] {
  const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`no mutant ${unknown.join(', ')}; --list says which there are`);
  return names.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => names.includes(name));
}

/** The tests by their files, each once. */
function testsByFile(mutants: readonly Mutant[]): [NamedTest, ...NamedTest[]][] {
  const files = new Map<string, [NamedTest, ...NamedTest[]]>();
  for (const { caughtBy } of mutants) {
    const tests = files.get(caughtBy.file);
    if (tests === undefined) files.set(caughtBy.file, [caughtBy]);
    else if (!tests.some((test) => fullName(test) === fullName(caughtBy))) tests.push(caughtBy);
  }
  return [...files.values()];
}

/** Where the tests fail without a mutant, their failing with one says nothing. */
async function expectPassing(
  copy: SourceCopy,
  mutants: readonly Mutant[],
  signal: AbortSignal,
): Promise<void> {
  for (const tests of testsByFile(mutants)) {
    const report = await runTests(copy.directory, tests, signal);
    for (const test of tests) {
      const { kind, said } = judge(report, test);
      if (kind !== 'passed')
        throw new Error(`without a mutant: ${test.file} > ${fullName(test)}: ${kind}. ${said}`);
    }
    console.log(`without a mutant ${tests[0].file} passes`);
  }
}

async function judgeMutant(
  copy: SourceCopy,
  { edits, caughtBy }: Mutant,
  signal: AbortSignal,
): Promise<Verdict> {
  const takeBack = copy.apply(edits);
  try {
    return judge(await runTests(copy.directory, [caughtBy], signal), caughtBy);
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'broken', said: error instanceof Error ? error.message : String(error) };
  } finally {
    takeBack();
  }
}

const RESULTS = { failed: 'caught', passed: 'survived', broken: 'broken' } as const;

async function playMutants(mutants: readonly Mutant[], signal: AbortSignal): Promise<Outcome[]> {
  const copy = new SourceCopy();
  try {
    // A mutant that does not apply is known at once, not after minutes.
    for (const { edits } of mutants) copy.apply(edits)();
    await expectPassing(copy, mutants, signal);
    const outcomes: Outcome[] = [];
    for (const mutant of mutants) {
      const startedMs = performance.now();
      const { kind, said } = await judgeMutant(copy, mutant, signal);
      const seconds = Math.round((performance.now() - startedMs) / 1000);
      const test = `${mutant.caughtBy.file} > ${fullName(mutant.caughtBy)}`;
      outcomes.push({ name: mutant.name, result: RESULTS[kind], test, seconds, said });
      console.log(
        `${outcomes.length} of ${mutants.length} ${mutant.name}: ${RESULTS[kind]}, ${seconds} s. ${said}`,
      );
    }
    return outcomes;
  } finally {
    copy.remove();
  }
}

function printTable(outcomes: readonly Outcome[]): void {
  const widest = Math.max(...outcomes.map(({ name }) => name.length));
  console.log('');
  for (const { name, result, test } of outcomes)
    console.log(`${name.padEnd(widest)}  ${result.padEnd(8)}  ${test}`);
  const caught = outcomes.filter(({ result }) => result === 'caught').length;
  console.log(`\n${caught} of ${outcomes.length} mutants are caught by the test that is named for them`);
}

/** Ctrl-C ends the run of vitest, and removes the copy. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => controller.abort(new Error('interrupted')));
  return controller.signal;
}

async function main(): Promise<void> {
  const program = new Command('mutants')
    .description(
      'Applies known bugs to a copy of the sources, and expects that the test named for each fails.',
    )
    .option('--only <names...>', 'these mutants alone')
    .option('--list', 'print the mutants and their tests, and run nothing')
    .option('--json <file>', 'write what became of each')
    .parse();
  const { only = [], list, json } = program.opts<{ only?: string[]; list?: boolean; json?: string }>();
  const mutants = chosen(only);
  if (list) {
    for (const { name, promise, caughtBy } of mutants)
      console.log(`${name}\n  ${promise}\n  ${caughtBy.file} > ${fullName(caughtBy)}`);
    return;
  }
  const outcomes = await playMutants(mutants, interrupted());
  printTable(outcomes);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcomes, null, 2)}\n`);
  if (outcomes.some(({ result }) => result !== 'caught')) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
