/** What a run of vitest says about a mutant. */
import { fullName, type NamedTest } from './mutants.js';

/** Of vitest's JSON report, what is read. */
export interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/**
 * passed: the test ran and passed. failed: one of its assertions did not hold. broken: anything else, which says nothing about what the test
 * would notice: it does not exist or did not run, or something failed that it does not assert.
 */
export interface Verdict {
  readonly kind: 'passed' | 'failed' | 'broken';
  readonly said: string;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

export function judge(report: Report, test: NamedTest): Verdict {
  const name = fullName(test);
  const found = report.testResults
    .flatMap((file) => file.assertionResults)
    .filter((one) => one.fullName === name);
  const [result] = found;
  if (result === undefined || found.length > 1) {
    const message = report.testResults.map((file) => firstLine(file.message)).join('; ');
    return { kind: 'broken', said: `there are ${found.length} tests of this name. ${message}`.trim() };
  }
  if (result.status === 'passed') return { kind: 'passed', said: '' };
  const [failure] = result.failureMessages ?? [];
  if (result.status !== 'failed' || failure === undefined)
    return { kind: 'broken', said: `the test did not run: ${result.status}` };
  const said = firstLine(failure);
  return { kind: /^AssertionError\b/.test(said) ? 'failed' : 'broken', said };
}
