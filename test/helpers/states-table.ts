/** The tables of docs/states.md: every cell is a test. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/paths.js';

export interface Cell<State extends string, Call extends string> {
  readonly state: State;
  readonly call: Call;
  readonly says: string;
}

/** The cells of the table under a heading; the states are its rows, the calls its columns. That none is missing is a test, too. */
export function cellsUnder<State extends string, Call extends string>(
  heading: string,
  states: readonly State[],
  calls: readonly Call[],
): Cell<State, Call>[] {
  const page = readFileSync(join(packageRoot, 'docs/states.md'), 'utf8');
  const section = `\n${page}`.split(`\n# ${heading}\n`)[1]?.split('\n# ')[0] ?? '';
  const [head = [], , ...rows] = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.slice(1, -1).split('|'))
    .map((columns) => columns.map((column) => column.trim()));
  const cells = rows.flatMap(([state, ...columns]) =>
    columns.map((says, i) => ({ state: state as State, call: head[i + 1] as Call, says })),
  );
  test('the table has every state and call once, so no cell goes untested', () => {
    expect(cells.map(({ state, call }) => `${state}: ${call}`)).toEqual(
      states.flatMap((state) => calls.map((call) => `${state}: ${call}`)),
    );
  });
  return cells;
}
