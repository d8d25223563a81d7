/** How the scripts are put together from their includes. */
import { describe, expect, it } from 'vitest';
import { readScript, type ScriptOptions } from '../../src/redis/script-source.js';

const read = (replaced: Record<string, string>, name = 'batch'): string =>
  readScript(name, {
    allowOutOfMemory: false,
    replacedIncludes: new Map(Object.entries(replaced)) as NonNullable<ScriptOptions['replacedIncludes']>,
  }).text;

describe('a script', () => {
  it.each(['batch', 'due', 'durable', 'evict', 'load', 'open'])(
    'of %s has each of its functions once',
    (name) => {
      const names = [...read({}, name).matchAll(/^local function (\w+)/gm)].map((match) => match[1]);
      expect(names.filter((function_, i) => names.indexOf(function_) !== i && function_ !== 'make')).toEqual(
        [],
      );
    },
  );

  it('has what stands inside of a function there, with what it needs beyond what is known before, and nowhere else', () => {
    const text = read({
      operations: '-- @include "clock"\n-- @include "account_status"\nlocal operations = 1',
      clock: 'local clock = 1',
      account_status: 'local account_status = 1',
      apply_rows: '-- @include "judging"\n-- @include "account_status"\nlocal apply_rows = 1',
    });
    expect(text.match(/^local clock = 1$/gm)).toHaveLength(1);
    expect(text).toMatch(/local function make\(\)\nlocal account_status = 1\s+local operations = 1\n {2}end/);
    expect(text).toMatch(/\nlocal account_status = 1\s+local apply_rows = 1\n/);
  });

  it('does not need itself, before it or inside', () => {
    expect(() => read({ operations: '-- @include "judging"' })).toThrow('circle of includes');
    expect(() => read({ operations: '-- @inside "operations"' })).toThrow('circle of includes');
  });
});
