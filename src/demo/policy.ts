import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readAgents } from '../cli/agent.js';
import { SidecarClient } from '../cli/client.js';
import { readStatement } from '../cli/statement.js';
import { type Config, loadConfig } from '../config.js';
import type { Agent__Output } from '../gen/drawdown/v1/Agent.js';
import type { GetStatementResponse__Output } from '../gen/drawdown/v1/GetStatementResponse.js';
import type { LedgerEntry__Output } from '../gen/drawdown/v1/LedgerEntry.js';
import type { WalletBalance__Output } from '../gen/drawdown/v1/WalletBalance.js';
import { startSidecar } from '../sidecar.js';
import { openStores, type Stores } from '../stores.js';
import { type VerifyReport, verifyInstallation } from '../verify/index.js';
import { PolicyCustomer } from './policy-customer.js';
import { type ExampleStep, endMs, exampleSteps, startMs } from './policy-example.js';
import { removeData } from './sidecar-process.js';
import { JOURNAL_AGE_MAX_MS, SIMULATED_INCLUDES, SimulatedClock } from './simulated-clock.js';

/** What an account has. */
export interface Seen {
  readonly balances: readonly WalletBalance__Output[];
  readonly agents: readonly Agent__Output[];
}

/** A step as it went: its lines of the ledger, and what the account had afterwards. */
export interface PlayedStep extends Pick<ExampleStep, 'day' | 'by' | 'what'>, Seen {
  readonly lines: readonly LedgerEntry__Output[];
}

/** The worked example as it went, and what a customer sees at its end. */
export interface PlayedPolicy extends Seen {
  readonly steps: readonly PlayedStep[];
  readonly statement: GetStatementResponse__Output;
  readonly report: VerifyReport;
}

interface Stage {
  readonly config: Config;
  readonly clock: SimulatedClock;
  readonly client: SidecarClient;
  readonly stores: Stores;
  readonly signal: AbortSignal;
}

/**
 * Plays the worked example on an installation of its own, in this process, whose clock it sets from step to step: that of the
 * sidecar, of the caller and of Redis at once. Verifies the installation and removes it.
 */
export async function playPolicy(interrupted: AbortSignal): Promise<PlayedPolicy> {
  const dataDir = mkdtempSync(join(tmpdir(), 'drawdown-policy-'));
  const config = configOf(dataDir);
  const clock = new SimulatedClock(startMs);
  const lost = new AbortController();
  const signal = AbortSignal.any([interrupted, lost.signal]);
  try {
    const sidecar = await startSidecar(config, {
      onFatal: (error) => lost.abort(error),
      replacedIncludes: SIMULATED_INCLUDES,
      onRedis: (connection) => clock.rule(connection),
    });
    const client = new SidecarClient({ address: sidecar.grpcAddress, token: undefined });
    try {
      const stores = await openStores(config);
      try {
        return await play({ config, clock, client, stores, signal });
      } finally {
        await stores.close();
      }
    } finally {
      client.close();
      await sidecar.stop();
    }
  } finally {
    clock.restore();
    removeData(dataDir);
  }
}

function configOf(dataDir: string): Config {
  const flags = {
    dataDir,
    grpcAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    partitionCount: '1',
    // So quick is what is due by itself done.
    sweepIntervalMs: '50',
    // Standard output is for the example; what goes wrong ends it and is said once.
    logLevel: 'silent',
  };
  return { ...loadConfig({ flags, environment: {} }), journalAgeMaxMs: JOURNAL_AGE_MAX_MS };
}

async function play(stage: Stage): Promise<PlayedPolicy> {
  const { config, clock, client, stores, signal } = stage;
  const customer = new PolicyCustomer(client, clock);
  const { accountId } = customer;
  const seen: Seen[] = [];
  const ends = [0];
  for (const step of exampleSteps) {
    signal.throwIfAborted();
    await clock.set(Date.parse(step.day));
    if (step.by === 'caller') await step.play(customer);
    else await swept(stage, step, (ends.at(-1) as number) + step.lines);
    ends.push(await countLines(stores));
    seen.push(await see(client, accountId));
  }
  await clock.set(endMs);
  const statement = await readStatement(client, accountId, { to: String(endMs) });
  const ledger = await readLedger(client, accountId);
  const steps = exampleSteps.map(({ day, by, what }, i) => {
    const lines = ledger.slice(ends[i], ends[i + 1]);
    return { day, by, what, lines, ...(seen[i] as Seen) };
  });
  const { pool, connection } = stores;
  const { redisKeyPrefix } = config;
  const report = await verifyInstallation({ pool, connection, redisKeyPrefix, signal });
  return { steps, statement, report, ...(await see(client, accountId)) };
}

/** A sweep comes every 50 ms, and the flush soon after. */
const sweptWithinMs = 10_000;
const lookEveryMs = 10;

/** Looks into Postgres: a call on the account would do itself what is due. */
async function swept({ stores, signal }: Stage, { day }: ExampleStep, lines: number): Promise<void> {
  const startedMs = performance.now();
  while ((await countLines(stores)) < lines) {
    if (performance.now() - startedMs > sweptWithinMs)
      throw new Error(`What is due on ${day} was not done within ${sweptWithinMs / 1_000} s`);
    await sleep(lookEveryMs, undefined, { signal });
  }
}

/** All lines of the ledger are of the one account. */
async function countLines({ pool }: Stores): Promise<number> {
  const { rows } = await pool.query<{ lines: string }>('SELECT count(*) AS lines FROM entries');
  return Number(rows[0]?.lines);
}

async function see(client: SidecarClient, accountId: string): Promise<Seen> {
  const { balances } = await client.call('AccountService/GetBalance', { accountId });
  return { balances, agents: await readAgents(client, accountId) };
}

/** The largest page; the example has fewer lines. */
const pageSize = 1_000;

async function readLedger(client: SidecarClient, accountId: string): Promise<LedgerEntry__Output[]> {
  const order = 'LEDGER_ORDER_OLDEST_FIRST';
  const request = { accountId, order, pageSize } as const;
  return (await client.call('AccountService/ListLedgerEntries', request)).entries;
}
