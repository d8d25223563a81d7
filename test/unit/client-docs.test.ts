import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLIENT_REASONS } from '../../src/client/errors.js';
import * as client from '../../src/client/index.js';
import { meterDefaults } from '../../src/client/meter.js';
import { packageRoot } from '../../src/paths.js';

/** docs/client.md lists what the client library has, all of it and nothing else. */

const page = readFileSync(join(packageRoot, 'docs/client.md'), 'utf8');

function rows(heading: string): string[][] {
  const part = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return part
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
}

test('every option with its default', () => {
  const documented = rows('Options').map(([, name, value]) => `${name} ${value}`);
  const inCode = Object.entries(meterDefaults).map(
    ([name, value]) => `${name} ${typeof value === 'function' ? '-' : String(value)}`,
  );
  expect(documented.toSorted()).toEqual([...inCode, 'token -'].toSorted());
});

test('every reason of its own', () => {
  expect(rows('Errors').map(([, reason]) => reason)).toEqual([...CLIENT_REASONS]);
});

test('every function and class', () => {
  for (const name of Object.keys(client)) expect(page).toContain(`\`${name}`);
});
