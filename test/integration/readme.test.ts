/** The README's first ten minutes, run as they are written: embedded stores, the commands by copy and paste, a kill -9, the audit. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentWithoutSettings } from '../../src/config.js';
import { packageRoot } from '../../src/paths.js';
import { temporaryDirectory } from '../helpers/stores.js';

const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8');
const section = readme.split('## The first ten minutes')[1]?.split('\n## ')[0] ?? '';
const commands = [...section.matchAll(/```sh\n(.*?)```/gs)]
  .flatMap((block) => (block[1] as string).trim().split('\n'))
  .map((line) => line.trim().split(/\s+/));

const dataDir = temporaryDirectory();
const environment = {
  ...environmentWithoutSettings(),
  DRAWDOWN_DATA_DIR: dataDir,
  DRAWDOWN_GRPC_ADDRESS: `unix:${dataDir}/grpc.sock`,
  DRAWDOWN_HTTP_ADDRESS: '127.0.0.1:0',
};
let sidecar: ChildProcess;

async function start(): Promise<void> {
  sidecar = spawn(process.execPath, ['dist/main.js', '--json'], {
    cwd: packageRoot,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface({ input: sidecar.stdout as NodeJS.ReadableStream }), 'line');
}

/** `npx drawdown ...` is this package's own command. */
function run(command: readonly string[]): Promise<{ code: number; output: string }> {
  const [npx, drawdown, ...parameters] = command;
  expect([npx, drawdown]).toEqual(['npx', 'drawdown']);
  return new Promise((resolve) => {
    const options = { cwd: packageRoot, env: environment };
    execFile(process.execPath, ['dist/cli/index.js', ...parameters], options, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

const find = (text: string, nth = 0): readonly string[] => {
  const found = commands.filter((command) => command.join(' ').includes(text))[nth];
  if (found === undefined) throw new Error(`the README has no command with ${text}`);
  return found;
};

describe("the README's first ten minutes", () => {
  beforeAll(start, 60_000);
  afterAll(async () => {
    sidecar.kill('SIGTERM');
    await once(sidecar, 'exit');
  }, 30_000);

  it('creates, tops up, records, and the ledger shows quantities, catalog version, lot and balance', async () => {
    expect(await run(find('account create'))).toMatchObject({ code: 0 });
    expect((await run(find('--credits 1'))).output).toContain('1.000000 credits');
    const recorded = await run(find('usage record'));
    expect(recorded.output).toContain('event-1 recorded');
    const { output } = await run(find('ledger'));
    const line = output.split('\n').find((text) => text.includes('event-1')) ?? '';
    expect(line).toMatch(/input_tokens=1000 +1 +#1 -0\.000150 +-0\.000150 credits +0\.999850 credits/);

    const repeat = [...find('usage record'), '--time', /--time (\d+)/.exec(recorded.output)?.[1] ?? ''];
    expect((await run(repeat)).output).toContain('event-1 duplicate');
    expect((await run(['npx', 'drawdown', 'account', 'show', 'acme'])).output).toContain('0.999850 credits');
  }, 60_000);

  it('denies what is not there, says what is missing, and allows the same id after a top-up', async () => {
    const denied = await run(find('reserve'));
    expect(denied).toMatchObject({ code: 3 });
    expect(denied.output).toContain('DENIED INSUFFICIENT_BALANCE: missing 49.000150 credits');
    expect(await run(find('--credits 100'))).toMatchObject({ code: 0 });
    expect((await run(find('reserve', 1))).output).toContain('hold-1 ALLOWED');
    expect((await run(find('settle'))).output).toContain('30.000000 credits');
  }, 60_000);

  it('survives kill -9 and is audited clean', async () => {
    sidecar.kill('SIGKILL');
    await once(sidecar, 'exit');
    await start();
    expect(await run(find('verify'))).toMatchObject({ code: 0, output: expect.stringContaining('clean') });
  }, 60_000);
});
