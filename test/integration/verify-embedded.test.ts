/** The commands `verify` and `migrate` on an embedded installation: beside its sidecar, and without one. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { type Config, loadConfig } from '../../src/config.js';
import { findEmbedded } from '../../src/embedded/index.js';
import { packageRoot } from '../../src/paths.js';
import { migrateInstallation, type Sidecar, startSidecar } from '../../src/sidecar.js';
import { openStores } from '../../src/stores.js';
import { checkpointText, verifyInstallation } from '../../src/verify/index.js';
import type { SavedTally } from '../../src/verify/report.js';
import { sql } from '../helpers/audit.js';
import { TestClient, usageEvent } from '../helpers/client.js';
import { temporaryDirectory } from '../helpers/stores.js';

let base: string;
let config: Config;
let sidecar: Sidecar;

beforeAll(async () => {
  base = temporaryDirectory();
  const flags = {
    dataDir: join(base, 'data'),
    grpcAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    logLevel: 'silent',
  };
  config = loadConfig({ environment: {}, flags });
  sidecar = await startSidecar(config);
});
afterAll(async () => {
  await sidecar.stop();
  rmSync(base, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  const out: string[] = [];
  const error: string[] = [];
  const all = [...argv, '--data-dir', config.dataDir, '--log-level', 'silent'];
  const code = await runCli(all, { out: (line) => out.push(line), error: (line) => error.push(line) });
  return { code, out: out.join('\n'), error: error.join('\n') };
}

it('beside a running sidecar: clean, then names account and seq after an UPDATE by hand', async () => {
  const client = new TestClient(sidecar.grpcAddress);
  await client.account('acme', 1_000_000);
  await client.record([usageEvent('acme', 'e1', 100), usageEvent('acme', 'e2', 200)], 'ACK_LEVEL_DURABLE');
  client.close();
  const before = await run('verify');
  expect(before).toEqual({
    code: 0,
    error: '',
    out: expect.stringMatching(
      /^verified: clean\naccounts 1, lines 4, flushes \d+, holds 0, compared with Redis 1, moving 0$/,
    ),
  });

  const url = (await findEmbedded(config.dataDir))?.postgresUrl as string;
  const [row] = await sql(url, `SELECT seq FROM entries WHERE id = 'e2'`);
  await sql(url, `UPDATE entries SET spent = spent - 1 WHERE id = 'e2'`);
  const changed = await run('verify');
  expect(changed.code).toBe(1);
  expect(changed.error).toMatch(/^verified: \d+ problems$/);
  expect(changed.out).toMatch(
    new RegExp(
      `^checksum: account acme line 4 partition \\d+ epoch 1 seq ${row?.seq}: the line is not what was written$`,
      'm',
    ),
  );

  const json = await run('verify', '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({
    clean: false,
    accounts: 1,
    driftMicros: '1',
    missing: 0,
    doubled: 0,
    moving: 0,
  });
  expect(JSON.parse(json.out).problems[0]).toMatchObject({
    check: 'checksum',
    account: 'acme',
    accountSeq: '4',
    seq: row?.seq,
  });
  await sql(url, `UPDATE entries SET spent = spent + 1 WHERE id = 'e2'`);
  expect((await run('verify')).code).toBe(0);
});

it('a run that was interrupted goes on where its state says, and the next one begins anew', async () => {
  const state = join(base, 'verify.state');
  let again = '';
  const stores = await openStores(config);
  const stop = new AbortController();
  await expect(
    verifyInstallation({
      ...stores,
      redisKeyPrefix: config.redisKeyPrefix,
      signal: stop.signal,
      onCheckpoint: (checkpoint) => {
        again = checkpointText({ ...checkpoint, tally: { ...checkpoint.tally, lines: 1_000 } as SavedTally });
        stop.abort(new Error('interrupted'));
      },
    }),
  ).rejects.toThrow('interrupted');
  await stores.close();
  writeFileSync(state, again);
  expect((await run('verify', '--state', state)).out).toMatch(/^verified: clean\naccounts 1, lines 1000, /);
  expect(existsSync(state)).toBe(false);
  expect((await run('verify', '--state', state)).out).toMatch(/^verified: clean\naccounts 1, lines 4, /);
  expect(existsSync(state)).toBe(false);

  writeFileSync(state, 'not one');
  const { code, error } = await run('verify', '--state', state);
  expect(code).toBe(2);
  expect(error).toBe(`not verified: ${state} was not written by this version of verify`);
});

it('migrate works beside a running sidecar', async () => {
  expect(await migrateInstallation(config)).toEqual({ applied: [] });
  expect(await run('migrate')).toEqual({ code: 0, error: '', out: 'Postgres is up to date' });
});

it('without a sidecar it starts the stores, looks, and stops them', async () => {
  await sidecar.stop();
  expect(await findEmbedded(config.dataDir)).toBeUndefined();
  expect((await run('verify')).out).toMatch(/^verified: clean\naccounts 1, lines 4, /);
  expect(await findEmbedded(config.dataDir)).toBeUndefined();
  expect(existsSync(join(config.dataDir, 'owner.lock'))).toBe(false);
});

it('as a process of its own it ends once the stores have', async () => {
  const cli = join(packageRoot, 'dist/cli/index.js');
  const { stdout } = await promisify(execFile)(process.execPath, [
    cli,
    'verify',
    '--data-dir',
    config.dataDir,
  ]);
  expect(stdout).toMatch(/^verified: clean\n/);
  expect(await findEmbedded(config.dataDir)).toBeUndefined();
  expect(existsSync(join(config.dataDir, 'owner.lock'))).toBe(false);
});

it('a process that has nothing else to do waits until it hears of the end of its stores', async () => {
  const supervisor = pathToFileURL(join(packageRoot, 'dist/embedded/supervisor.js')).href;
  const script = `
    import { Supervisor } from '${supervisor}';
    const exited = new Promise((resolve) => setTimeout(() => resolve({ code: 0, signal: null }), 200).unref());
    const store = { name: 'redis', url: '', start: async () => ({ pid: 1, adopted: false, exited }), stop: async () => {} };
    const supervisor = new Supervisor({ store, onExit() {}, onRestart() {}, onGivenUp() {} });
    await supervisor.start();
    await supervisor.stop();
    console.log('stopped');`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe('stopped\n');
});

it('exits with 2 where it cannot look, and makes nothing by looking', async () => {
  const nowhere = join(base, 'nowhere');
  mkdirSync(nowhere);
  expect(await findEmbedded(join(nowhere, 'data'))).toBeUndefined();
  expect(existsSync(join(nowhere, 'data'))).toBe(false);
  const absent = `unix://${join(nowhere, 'redis.sock')}`;
  const { code, error } = await run(
    'verify',
    '--redis-url',
    absent,
    '--postgres-url',
    'postgres://127.0.0.1:1/x',
  );
  expect({ code, error }).toEqual({ code: 2, error: 'not verified: Redis does not answer' });
  expect((await run('verify', '--config', join(nowhere, 'absent.yaml'))).code).toBe(2);
});
