import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { openStores } from '../stores.js';
import {
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
    .addHelpText(
      'after',
      '\nWorks beside a running sidecar; without one it starts the embedded stores and stops them again.\n' +
        'Exit codes: 0 clean, 1 problems found, 2 it could not look.\n\nExample:\n  $ drawdown verify --json',
    )
    .action((options: Record<string, unknown>) => verify(options, io));
}

async function verify(options: Readonly<Record<string, unknown>>, io: Io): Promise<void> {
  const report = await look(options, io).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(`not verified: ${reason}`, EXIT.notVerified);
  });
  if (options.json === true) printJson(io, reportJson(report));
  else for (const line of lines(report)) io.out(line);
  if (!report.clean) throw new CommandFailure(`verified: ${report.problemsTotal} problems`, EXIT.failed);
}

async function look(options: Readonly<Record<string, unknown>>, io: Io): Promise<VerifyReport> {
  const config = loadConfig(configSources(options));
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort(new Error('interrupted'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const stores = await openStores(config);
    try {
      const progress = options.progress === true || process.stderr.isTTY === true;
      return await verifyInstallation({
        pool: stores.pool,
        connection: stores.connection,
        redisKeyPrefix: config.redisKeyPrefix,
        signal: interrupted.signal,
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

function lines(report: VerifyReport): string[] {
  const { accounts, lines: ledgerLines, flushes, holds, comparedWithRedis, moving } = report;
  const counts = `accounts ${accounts}, lines ${ledgerLines}, flushes ${flushes}, holds ${holds}, compared with Redis ${comparedWithRedis}, moving ${moving}`;
  if (report.clean) return ['verified: clean', counts];
  const hidden = report.problemsTotal - report.problems.length;
  return [
    ...report.problems.map(problemText),
    ...(hidden === 0 ? [] : [`and ${hidden} more`]),
    `${counts}, missing ${report.missing}, doubled ${report.doubled}, drift ${report.driftMicros} micro-credits`,
  ];
}
