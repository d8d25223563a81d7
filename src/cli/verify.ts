import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { openStores } from '../stores.js';
import {
  type Checkpoint,
  checkpointOf,
  checkpointText,
  problemText,
  reportJson,
  type VerifyProgress,
  type VerifyReport,
  verifyInstallation,
} from '../verify/index.js';
import { CommandFailure, EXIT, type Io, printJson } from './io.js';
import { addConfigOptions, configSources } from './serve.js';

export function addCommand(program: Command, io: Io): void {
  const command = program
    .command('verify')
    .description('audit an installation: ledger, balances, journal; exit code 0 when clean');
  addConfigOptions(command)
    .option('--json', 'print the report as JSON')
    .option('--progress', 'say on standard error how far it is (default: where that is a terminal)')
    .option(
      '--state <file>',
      'keep there what is verified, so that the same command goes on after an interruption',
    )
    .addHelpText(
      'after',
      '\nWorks beside a running sidecar; without one it starts the embedded stores and stops them again.\n' +
        'Exit codes: 0 clean, 1 problems found, 2 it could not look.\n\nExample:\n  $ drawdown verify --json',
    )
    .action((options: Record<string, unknown>) => verify(options, io));
}

async function verify(options: Readonly<Record<string, unknown>>, io: Io): Promise<void> {
  const report = await look(options, io).catch((error: unknown) => {
    if (error instanceof CommandFailure) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(`not verified: ${reason}${howToGoOn(options)}`, EXIT.notVerified);
  });
  // The next run begins anew.
  if (typeof options.state === 'string') rmSync(options.state, { force: true });
  if (options.json === true) printJson(io, reportJson(report));
  else for (const line of lines(report)) io.out(line);
  if (!report.clean) throw new CommandFailure(`verified: ${report.problemsTotal} problems`, EXIT.failed);
}

function howToGoOn({ state }: Readonly<Record<string, unknown>>): string {
  if (typeof state !== 'string') return '';
  return existsSync(state) ? `; the same command goes on from ${state}` : `; nothing was verified yet`;
}

/** What an interrupted run left; undefined: nothing. */
function readState(file: string): Checkpoint | undefined {
  if (!existsSync(file)) return undefined;
  const checkpoint = checkpointOf(readFileSync(file, 'utf8'));
  if (checkpoint === null) {
    throw new CommandFailure(
      `not verified: ${file} was not written by this version of verify`,
      EXIT.notVerified,
    );
  }
  return checkpoint;
}

/** The file is whole whenever the process ends, or the machine. */
function writeState(file: string, checkpoint: Checkpoint): void {
  const next = `${file}.next`;
  const handle = openSync(next, 'w');
  try {
    writeSync(handle, checkpointText(checkpoint));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(next, file);
}

async function look(options: Readonly<Record<string, unknown>>, io: Io): Promise<VerifyReport> {
  const config = loadConfig(configSources(options));
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const state = typeof options.state === 'string' ? options.state : null;
  try {
    const from = state === null ? undefined : readState(state);
    const stores = await openStores(config);
    try {
      const progress = options.progress === true || process.stderr.isTTY === true;
      return await verifyInstallation({
        pool: stores.pool,
        connection: stores.connection,
        redisKeyPrefix: config.redisKeyPrefix,
        signal: interrupted.signal,
        ...(from === undefined ? {} : { from }),
        ...(state === null ? {} : { onCheckpoint: (checkpoint) => writeState(state, checkpoint) }),
        ...(progress ? { onProgress: progressWriter(io) } : {}),
      });
    } finally {
      await stores.close();
    }
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** A run that is over before this says nothing of its progress. */
const PROGRESS_EVERY_MS = 2_000;

function progressWriter(io: Io): (progress: VerifyProgress) => void {
  let saidMs = performance.now();
  return ({ step, done, total }) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < PROGRESS_EVERY_MS) return;
    saidMs = nowMs;
    io.error(`verifying ${step}: ${done}${total === 0 ? '' : ` of ${total}`}`);
  };
}

/** One of flushes, one of accounts, and Redis: of a ledger that is small enough for one look there is nothing to say. */
const PARTS_AT_ONCE_MAX = 3;

function lines(report: VerifyReport): string[] {
  const { accounts, lines: ledgerLines, flushes, holds, comparedWithRedis, moving } = report;
  const counts = `accounts ${accounts}, lines ${ledgerLines}, flushes ${flushes}, holds ${holds}, compared with Redis ${comparedWithRedis}, moving ${moving}`;
  const aside =
    report.setAsideRecords === 0
      ? []
      : [
          `${report.setAsideRecords} records of journals are set aside (table set_aside_records): what they booked was not durable`,
        ];
  const first = report.parts[0]?.asOf;
  const last = report.parts.at(-1)?.asOf;
  const when =
    report.parts.length <= PARTS_AT_ONCE_MAX
      ? []
      : [`in ${report.parts.length} parts, as of ${first} to ${last}`];
  if (report.clean) return ['verified: clean', counts, ...when, ...aside];
  const hidden = report.problemsTotal - report.problems.length;
  return [
    ...report.problems.map(problemText),
    ...(hidden === 0 ? [] : [`and ${hidden} more`]),
    `${counts}, missing ${report.missing}, doubled ${report.doubled}, drift ${report.driftMicros} micro-credits`,
    ...when,
    ...aside,
  ];
}
