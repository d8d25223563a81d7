/** `npm run torture -- --seed N --minutes M [--json FILE]`: breaks everything that can break, and checks that nothing was lost or charged twice. */
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FAULTS, type Fault } from './faults/index.js';
import { linesOf } from './report.js';
import { torture } from './torture.js';

interface Options {
  readonly seed: number;
  readonly minutes: number;
  readonly faults: readonly Fault[];
  readonly json?: string;
}

/** Measured: 1.0 to 1.7 s with the checks, by what is broken; a slower machine has half as much again. */
const SECONDS_PER_FAULT = 2.5;
const minutesMin = (faults: readonly Fault[]): number => Math.ceil((faults.length * SECONDS_PER_FAULT) / 60);

function whole(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number above 0 is needed');
  return Number(text);
}

function kinds(text: string): readonly Fault[] {
  return text.split(',').map((kind) => {
    const fault = FAULTS.find((one) => one.kind === kind);
    if (fault === undefined) throw new InvalidArgumentError(`there is no fault ${kind}; --help lists them`);
    return fault;
  });
}

function program(): Command {
  const width = Math.max(...FAULTS.map(({ kind }) => kind.length));
  return new Command('npm run torture --')
    .description(
      'breaks processes, networks, stores, disks and clocks under load, and checks after every round that nothing was lost or charged twice',
    )
    .addOption(
      new Option('--seed <n>', 'of everything random')
        .argParser(whole)
        .default(1 + Math.floor(Math.random() * 999_999), 'a new one'),
    )
    .option(
      '--minutes <n>',
      `how long; at least ${minutesMin(FAULTS)} for every kind of fault`,
      whole,
      minutesMin(FAULTS),
    )
    .addOption(
      new Option('--faults <kinds>', 'only these, with commas').argParser(kinds).default(FAULTS, 'all'),
    )
    .option('--json <file>', 'write the figures there')
    .addHelpText(
      'after',
      ['', 'Faults:', ...FAULTS.map(({ kind, what }) => `  ${kind.padEnd(width)}  ${what}`)].join('\n'),
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing was found, 1 something was, 2 it could not run.\nExample:\n  $ npm run torture -- --seed 7 --minutes 20',
    );
}

/** The command that plays the same again. */
function again({ seed, minutes, faults }: Options): string {
  const chosen = faults === FAULTS ? '' : ` --faults ${faults.map(({ kind }) => kind).join(',')}`;
  return `npm run torture -- --seed ${seed} --minutes ${minutes}${chosen}`;
}

/** Of one run; more of the same says no more. */
const FINDINGS_SHOWN_MAX = 40;

async function main(): Promise<void> {
  const options = program().parse().opts<Options>();
  const { seed, minutes, faults, json } = options;
  if (minutes < minutesMin(faults)) {
    throw new Error(
      `${faults.length} kinds of faults need ${minutesMin(faults)} minutes; choose fewer with --faults`,
    );
  }
  const say = (line: string): void => console.log(line);
  say(`seed ${seed}: ${minutes} minutes, ${faults.length} kinds of faults`);
  const { figures, findings, directory } = await torture({ seed, minutes, faults, say });
  for (const line of linesOf(figures)) say(line);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`);
  if (findings.length === 0) return;
  for (const { kind, message } of findings.slice(0, FINDINGS_SHOWN_MAX)) console.error(`${kind}: ${message}`);
  if (findings.length > FINDINGS_SHOWN_MAX) console.error(`and ${findings.length - FINDINGS_SHOWN_MAX} more`);
  console.error(`seed ${seed}; logs in ${directory}; again: ${again(options)}`);
  process.exitCode = 1;
}

// Whoever interrupts it leaves nothing running: what was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2));
await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
// Node 20 may spin for ever where it takes down by itself what is left of broken connections.
process.exit();
