/** A sidecar as a process: the built one, with a clock that can be moved. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endProcess } from '../../src/embedded/process.js';
import { packageRoot } from '../../src/paths.js';
import { TestClient } from '../helpers/client.js';
import { until } from '../helpers/until.js';
import { endsWithUs, kill9 } from './process-tree.js';

/** Quick where waiting shows nothing. Leases and sessions end within a round, accounts are dropped and loaded again. */
export const sidecarSettings = {
  partitionCount: 4,
  sweepIntervalMs: 100,
  leaseMs: 1_500,
  accountIdleMs: 2_000,
  flushRetryMaxMs: 500,
  durableWaitMaxMs: 10_000,
  drainTimeoutMs: 5_000,
  sessionHoldMs: 5_000,
  sessionGraceMs: 1_000,
  checkpointIntervalMs: 100,
  clockSkewMaxMs: 2_000,
  redisConnectTimeoutMs: 500,
  redisCommandTimeoutMs: 1_000,
  postgresConnectTimeoutMs: 1_000,
  postgresStatementTimeoutMs: 3_000,
} as const;

export interface SidecarPlace {
  readonly name: string;
  /** Its output and the file that moves its clock. */
  readonly directory: string;
  readonly redisUrl: string;
  readonly postgresUrl: string;
}

/** A start that did not serve by then is tried again, as whatever supervises sidecars does. */
const START_MAX_MS = 10_000;
const STARTS_MAX = 12;
/** drainTimeoutMs, and the 2 s after which it gives up whatever still waits for a store, on a machine that is busy. */
const DRAIN_MAX_MS = 12_000;

export class SidecarProcess {
  #child: ChildProcess | null = null;
  #addresses: { grpcAddress: string; httpAddress: string } | null = null;
  #client: TestClient | null = null;
  /** It is meant to be down: its end is no finding. */
  #isStopping = false;
  /** How it ended although nobody had asked it to. */
  ended: string | null = null;

  constructor(readonly place: SidecarPlace) {
    endsWithUs(() => this.pid);
  }

  get name(): string {
    return this.place.name;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get grpcPort(): number {
    return Number(this.#addresses?.grpcAddress.split(':')[1] ?? 1);
  }

  /** Straight to it, past the links. */
  get client(): TestClient {
    if (this.#client === null) throw new Error(`${this.name} does not run`);
    return this.#client;
  }

  /** Resolves when it serves; where a store is away meanwhile it takes more than one try. */
  async start(): Promise<void> {
    for (let attempt = 1; this.#child === null; attempt++) {
      try {
        await this.#startOnce();
      } catch (error) {
        await this.kill9();
        if (attempt === STARTS_MAX) throw error;
      }
    }
  }

  async kill9(): Promise<void> {
    const { pid } = this;
    this.#forget();
    if (pid > 0) await kill9(pid);
  }

  /** As an orderly restart ends it. */
  async drain(): Promise<void> {
    const { pid } = this;
    this.#isStopping = true;
    if (pid > 0) {
      await endProcess(pid, [{ signal: 'SIGTERM', limitMs: DRAIN_MAX_MS }]).catch(() => {
        this.ended = `${this.name} did not end within ${DRAIN_MAX_MS} ms of SIGTERM`;
      });
    }
    await this.kill9();
  }

  moveClock(byMs: number): void {
    writeFileSync(this.#driftFile, String(byMs));
  }

  clockIsRight(): void {
    rmSync(this.#driftFile, { force: true });
  }

  /** As /readyz says; false where nothing answers. */
  async isReady(): Promise<boolean> {
    if (this.#addresses === null) return false;
    try {
      const response = await fetch(`http://${this.#addresses.httpAddress}/readyz`, {
        signal: AbortSignal.timeout(2_000),
      });
      await response.text();
      return response.ok;
    } catch {
      return false;
    }
  }

  async reasons(): Promise<string> {
    if (this.#addresses === null) return 'it does not run';
    return fetch(`http://${this.#addresses.httpAddress}/readyz`).then(
      (response) => response.text(),
      (error: unknown) => String(error),
    );
  }

  get #driftFile(): string {
    return join(this.place.directory, `${this.name}.drift`);
  }

  async #startOnce(): Promise<void> {
    const { name, directory, redisUrl, postgresUrl } = this.place;
    const preload = join(packageRoot, 'test/torture/shifted-clock.mjs');
    const child = spawn(
      process.execPath,
      ['--import', preload, join(packageRoot, 'dist/main.js'), '--json'],
      {
        env: {
          PATH: process.env.PATH ?? '',
          DRIFT_FILE: this.#driftFile,
          ...environmentOf({ ...sidecarSettings, redisUrl, postgresUrl, logLevel: 'warn' }),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const log = createWriteStream(join(directory, `${name}.log`), { flags: 'a' });
    log.write(`--- process ${child.pid}\n`);
    child.stderr.pipe(log, { end: false });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      log.write(bytes);
      if (this.#addresses === null) output += bytes.toString();
    });
    let exited: string | null = null;
    child.on('exit', (code, signal) => {
      exited = `${name} ended with ${signal ?? `code ${code}`}`;
      if (this.#child === child && this.#addresses !== null && !this.#isStopping) this.ended = exited;
    });
    this.#child = child;
    this.#isStopping = false;
    const line = await until(
      `${name} serves`,
      () => {
        if (exited !== null) throw new Error(`${exited} before it served; its output is in ${directory}`);
        return output.split('\n').find((one) => one.startsWith('{"grpcAddress"'));
      },
      START_MAX_MS,
    );
    const addresses = JSON.parse(line) as { grpcAddress: string; httpAddress: string };
    this.#addresses = addresses;
    this.#client = new TestClient(addresses.grpcAddress);
  }

  #forget(): void {
    this.#child = null;
    this.#addresses = null;
    this.#client?.close();
    this.#client = null;
  }
}

function environmentOf(settings: Readonly<Record<string, string | number>>): Record<string, string> {
  const variables = Object.entries({
    grpcAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    ...settings,
  }).map(([name, value]) => [
    `DRAWDOWN_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    String(value),
  ]);
  return Object.fromEntries(variables);
}
