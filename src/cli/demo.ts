import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { runDemo } from '../demo/demo.js';
import { outcomeJson, outcomeLines, problemsOf } from '../demo/outcome.js';
import { type Display, LineDisplay, LiveDisplay } from '../demo/progress.js';
import { readWorkload, type Workload, WorkloadError } from '../demo/workload.js';
import { addPolicyCommand } from './demo-policy.js';
import { CommandFailure, EXIT, type Io } from './io.js';
import { untilStopped } from './stop-signal.js';

interface DemoOptions {
  readonly seconds: number;
  readonly trace?: string;
  readonly sentences?: string;
  readonly json?: string;
  readonly seed: number;
}

const help = `
What it does: starts a sidecar of its own in a temporary folder, creates 300 accounts, one in five with too small a
balance, and replays LLM requests as usage events over RecordUsage (every twentieth batch twice) and, one in five, as
reserve and settle; the sentences as reservations of their characters, a tenth released, a tenth settled short. Then it
verifies the installation and removes it. With files every row is replayed at least once, then again with new ids until
the time is over; without them a workload of the same shape is made up.

The JSON file: events.{sent,applied,denied,duplicate,overdrawn}: sent = applied + denied + duplicate, denied are refused
events, overdrawn are those of the applied ones that went into debt. reservations.{made,denied,settled,released}: made =
settled + released. ledger.entries, verify.{accounts,driftMicros,missing,doubled}, rates.{appliedPerSecond,
durablePerSecond} of usage events, durableLagMs.{p50,p99} from applied to durable.

Exit codes: 0 all is accounted for, 1 anything else.

Examples:
  $ drawdown demo
  $ drawdown demo --seconds 60 --trace azure-llm-2023-conv.csv --sentences ljspeech-sentences.txt --json demo.json`;

export function addCommand(program: Command, io: Io): void {
  const command = program
    .command('demo')
    .description('replay real traffic on an installation of its own, then verify it')
    .option('--seconds <n>', 'how long the load lasts at least', parseSeconds, 20)
    .option(
      '--trace <csv>',
      'LLM requests: TIMESTAMP,ContextTokens,GeneratedTokens (Azure LLM inference trace 2023)',
    )
    .option('--sentences <txt>', 'texts to be spoken, one a line')
    .option('--json <file>', 'write the figures there')
    .option('--seed <n>', 'of everything random', parseSeconds, 1)
    .addHelpText('after', help)
    .action((options: DemoOptions) => demo(options, io));
  addPolicyCommand(command, io);
}

function parseSeconds(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new InvalidArgumentError('A whole number from 1 to 999999 is needed.');
  return Number(text);
}

async function demo(options: DemoOptions, io: Io): Promise<void> {
  const workload = workloadOf(options);
  const { seconds, seed } = options;
  const outcome = await untilStopped((signal) =>
    runDemo({ workload, seconds, seed, display: displayOf(io), signal }),
  );
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(outcomeJson(outcome), null, 2)}\n`);
  }
  for (const line of outcomeLines(outcome)) io.out(line);
  const problems = problemsOf(outcome).length;
  if (problems > 0) throw new CommandFailure(`The demo found ${problems} problems`, EXIT.failed);
}

function workloadOf({ trace, sentences, seed }: DemoOptions): Workload {
  try {
    return readWorkload({ trace, sentences }, seed);
  } catch (error) {
    if (error instanceof WorkloadError) throw new CommandFailure(error.message);
    throw error;
  }
}

const lineEverySeconds = 5;

function displayOf(io: Io): Display {
  const { stdout } = process;
  if (stdout.isTTY)
    return new LiveDisplay(
      (text) => stdout.write(text),
      () => stdout.columns,
    );
  return new LineDisplay((line) => io.out(line), lineEverySeconds);
}
