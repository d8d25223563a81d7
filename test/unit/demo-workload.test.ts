import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readWorkload } from '../../src/demo/workload.js';
import { packageRoot } from '../../src/paths.js';

const made = readWorkload({ trace: undefined, sentences: undefined }, 1);
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('a workload that is made up', () => {
  const requests = [...made.bursts.flat(), ...made.asked];

  it('has the means of the trace: 1,434 tokens of prompt, 154 of answer', () => {
    expect(requests).toHaveLength(19_366);
    expect(Math.abs(mean(requests.map(({ inputTokens }) => inputTokens)) - 1_434)).toBeLessThan(150);
    expect(Math.abs(mean(requests.map(({ outputTokens }) => outputTokens)) - 154)).toBeLessThan(25);
    expect(Math.max(...requests.map(({ outputTokens }) => outputTokens))).toBeGreaterThan(1_000);
  });

  it('comes in bursts', () => {
    const sizes = made.bursts.map(({ length }) => length).sort((a, b) => a - b);
    expect(sizes.at(-2)).toBeGreaterThan(2 * (sizes[Math.floor(sizes.length / 2)] as number));
  });

  it('has texts as long as sentences', () => {
    expect(Math.abs(mean(made.texts) - 100)).toBeLessThan(5);
    expect(Math.min(...made.texts)).toBeGreaterThan(0);
  });

  it('repeats for a seed', () => {
    expect(readWorkload({ trace: undefined, sentences: undefined }, 1)).toEqual(made);
    expect(readWorkload({ trace: undefined, sentences: undefined }, 2)).not.toEqual(made);
  });
});

const data = join(packageRoot, '../shared/data');

describe.skipIf(!existsSync(data))('the real files', () => {
  it('are read whole: every request, every sentence', () => {
    const real = readWorkload(
      {
        trace: join(data, 'azure-llm-2023-conv.csv'),
        sentences: join(data, 'ljspeech-sentences.txt'),
      },
      1,
    );
    expect(real.bursts.flat().length + real.asked.length).toBe(19_366);
    expect(real.texts).toHaveLength(12_500);
    expect(Math.round(mean(real.texts))).toBe(100);
  });
});
