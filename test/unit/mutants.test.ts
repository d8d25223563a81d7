/** The mutants still apply, their tests still exist, and what is no kill is not taken for one. `npm run mutants` runs them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import { edited } from '../mutants/copy.js';
import { judge, type Report } from '../mutants/judge.js';
import { fullName, MUTANTS, type NamedTest } from '../mutants/mutants.js';

const read = (file: string): string => readFileSync(join(packageRoot, file), 'utf8');

describe('a mutant', () => {
  it.each(MUTANTS)('$name applies to the sources of today', ({ edits }) => {
    const texts = new Map<string, string>();
    for (const edit of edits) texts.set(edit.file, edited(texts.get(edit.file) ?? read(edit.file), edit));
    expect(texts.size).toBeGreaterThan(0);
  });

  it.each(MUTANTS)('$name has a test that exists', ({ caughtBy: { file, titles } }) => {
    const calls = [...read(file).matchAll(/\b(?:describe|it|test)\(\s*(['"])(.*?)\1,/g)];
    const known = calls.map(([, , title]) => title);
    expect(titles.filter((title) => known.filter((one) => one === title).length !== 1)).toEqual([]);
  });

  it('has a name of its own', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  it('is in docs/reliability.md, with its promise and its test', () => {
    const rows = [...read('docs/reliability.md').matchAll(/^\| `(.+?)` \| (.+?) \| `(.+?)`: (.+?) \|$/gm)];
    expect(rows.map(([, ...cells]) => cells)).toEqual(
      MUTANTS.map(({ name, promise, caughtBy }) => [name, promise, caughtBy.file, fullName(caughtBy)]),
    );
  });

  it.each([
    ['is not there', 'a a', 'c'],
    ['is there twice', 'a a', 'a'],
    ['would stay as it is', 'b', 'b'],
  ])('does not apply where what it replaces %s', (_, text, find) => {
    expect(() => edited(text, { file: 'f', find, replace: 'b' })).toThrow('f');
  });
});

describe('a run of a named test', () => {
  const named: NamedTest = { file: 'f', titles: ['outer', 'inner'] };
  const result = (status: string, ...failureMessages: string[]) => ({
    fullName: 'outer inner',
    status,
    failureMessages,
  });
  const report = (...assertionResults: Report['testResults'][number]['assertionResults']): Report => ({
    testResults: [{ message: '', assertionResults }],
  });
  const other = { fullName: 'outer other', status: 'skipped', failureMessages: null };

  it('that passes has caught nothing', () => {
    expect(judge(report(other, result('passed')), named).kind).toBe('passed');
  });

  it('that fails by an assertion has caught the mutant', () => {
    const failed = result('failed', 'AssertionError: expected 1 to be 2\n    at f:1:1');
    expect(judge(report(other, failed), named)).toEqual({
      kind: 'failed',
      said: 'AssertionError: expected 1 to be 2',
    });
  });

  it.each<[string, Report]>([
    ['in which it does not exist', report(other)],
    ['in which two have its name', report(result('failed', 'AssertionError'), result('passed'))],
    ['in which it is skipped', report(result('skipped'))],
    ['whose hooks fail before it', report(result('failed'))],
    ['in which it waits in vain', report(result('failed', 'Error: Waited 20000 ms in vain: it serves'))],
    [
      'whose file does not compile',
      { testResults: [{ message: 'Error: Transform failed', assertionResults: [] }] },
    ],
  ])('%s says nothing', (_, broken) => {
    expect(judge(broken, named).kind).toBe('broken');
  });
});
