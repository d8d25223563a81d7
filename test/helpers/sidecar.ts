/** Sidecars for tests: in this process, or as a child process where one must be killed. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Config, loadConfig } from '../../src/config.js';
import { endProcess } from '../../src/embedded/process.js';
import { packageRoot } from '../../src/paths.js';
import { type Sidecar, type SidecarOptions, startSidecar } from '../../src/sidecar.js';
import { TestClient } from './client.js';

export interface Places {
  readonly redisUrl: string;
  readonly postgresUrl: string;
}

export interface TestSidecar {
  readonly client: TestClient;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly config: Config;
  stop(): Promise<void>;
}

/** Quick where waiting shows nothing, few partitions, quiet; `overrides` may go below what the settings allow. */
export function testConfig(places: Places, overrides: Partial<Config> = {}): Config {
  return {
    ...loadConfig({ environment: {} }),
    ...places,
    grpcAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    partitionCount: 4,
    sweepIntervalMs: 50,
    leaseMs: 1_500,
    flushRetryMaxMs: 200,
    drainTimeoutMs: 5_000,
    logLevel: (process.env.TEST_LOG ?? 'silent') as Config['logLevel'],
    ...overrides,
  };
}

export async function startTestSidecar(
  places: Places,
  overrides: Partial<Config> = {},
  options: SidecarOptions = {},
): Promise<TestSidecar> {
  const config = testConfig(places, overrides);
  const sidecar: Sidecar = await startSidecar(config, options);
  const client = new TestClient(sidecar.grpcAddress);
  return {
    client,
    grpcAddress: sidecar.grpcAddress,
    httpAddress: sidecar.httpAddress,
    config,
    async stop() {
      client.close();
      await sidecar.stop();
    },
  };
}

export interface SidecarProcess extends TestSidecar {
  readonly pid: number;
  /** Everything it wrote, for messages of failed tests. */
  readonly output: () => string;
  /** Its exit code once it has gone by itself or by a signal (then null); undefined while it lives. */
  readonly exited: () => number | null | undefined;
  kill9(): Promise<void>;
}

/** Starts `dist/main.js`, which the test script builds first; `nodeOptions` are those of its process. */
export async function spawnSidecar(
  places: Places,
  overrides: Partial<Config> = {},
  nodeOptions = '',
): Promise<SidecarProcess> {
  const config = testConfig(places, overrides);
  const environment: Record<string, string> = { PATH: process.env.PATH ?? '', NODE_OPTIONS: nodeOptions };
  for (const [name, value] of Object.entries(config)) {
    const variable = `DRAWDOWN_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
    if (value !== undefined) environment[variable] = String(value);
  }
  const child = spawn(process.execPath, [join(packageRoot, 'dist/main.js'), '--json'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the sidecar could not be started');
  let output = '';
  let exitCode: number | null | undefined;
  // Its pid may be gone a moment before its exit code is known.
  const gone = new Promise<void>((resolve) => {
    child.on('exit', (code) => {
      exitCode = code;
      resolve();
    });
  });
  child.stderr.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  const onLeave = (): void => void child.kill('SIGKILL');
  process.on('exit', onLeave);
  child.on('exit', () => process.off('exit', onLeave));
  const addresses = await new Promise<{ grpcAddress: string; httpAddress: string }>((resolve, reject) => {
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString();
      const line = output.split('\n').find((one) => one.startsWith('{"grpcAddress"'));
      if (line !== undefined) resolve(JSON.parse(line));
    });
    child.on('exit', () => reject(new Error(`the sidecar ended:\n${output}`)));
  });
  const client = new TestClient(addresses.grpcAddress);
  return {
    ...addresses,
    client,
    config,
    pid,
    output: () => output,
    exited: () => exitCode,
    async kill9() {
      if (exitCode === undefined) await endProcess(pid, [{ signal: 'SIGKILL', limitMs: 10_000 }]);
      await gone;
    },
    async stop() {
      client.close();
      if (exitCode !== undefined) return;
      await endProcess(pid, [
        { signal: 'SIGTERM', limitMs: 20_000 },
        { signal: 'SIGKILL', limitMs: 10_000 },
      ]);
      await gone;
    },
  };
}

/** /readyz as JSON. */
export async function readiness(
  sidecar: Pick<TestSidecar, 'httpAddress'>,
): Promise<{ ready: boolean; reasons: string[]; warnings: string[] }> {
  const response = await fetch(`http://${sidecar.httpAddress}/readyz`);
  return (await response.json()) as { ready: boolean; reasons: string[]; warnings: string[] };
}

/** The sum of a metric over all its labels that match. */
export async function metric(
  sidecar: Pick<TestSidecar, 'httpAddress'>,
  name: string,
  labels = '',
): Promise<number> {
  const text = await (await fetch(`http://${sidecar.httpAddress}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(name) || !line.includes(labels)) continue;
    const rest = line.slice(name.length);
    if (rest.startsWith('{') || rest.startsWith(' ')) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}
