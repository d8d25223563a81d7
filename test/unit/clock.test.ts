/** Tests and the demo of the policy set the clock; nothing that an operator can write down does. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.js';
import { loadConfig, settingRows } from '../../src/config.js';
import { packageRoot } from '../../src/paths.js';

/** The files below a folder whose text has it. */
function filesWith(folder: string, text: string): string[] {
  return readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|lua)$/.test(file) && !file.startsWith('gen/'))
    .map((file) => join(folder, file))
    .filter((file) => readFileSync(join(packageRoot, file), 'utf8').includes(text))
    .sort();
}

it('is one include for all scripts', () => {
  expect(filesWith('lua', "'TIME'")).toEqual(['lua/includes/clock.lua']);
});

it('is replaced by the demo of the policy alone', () => {
  expect(filesWith('src', 'replacedIncludes:')).toEqual(['src/demo/policy.ts']);
  expect(filesWith('src', 'new SimulatedClock(')).toEqual(['src/demo/policy.ts']);
});

it('has no setting, in the environment or on the command line', async () => {
  expect(settingRows().flatMap(({ name }) => (/clock/i.test(name) ? [name] : []))).toEqual([
    'clockSkewMaxMs',
  ]);
  expect(() => loadConfig({ environment: { DRAWDOWN_CLOCK: '0' } })).toThrow('DRAWDOWN_CLOCK');
  const errors: string[] = [];
  const io = { out: () => undefined, error: (line: string) => errors.push(line) };
  expect(await runCli(['serve', '--clock', '0'], io)).toBe(1);
  expect(errors.join('\n')).toContain("unknown option '--clock'");
});
