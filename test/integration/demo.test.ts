import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandRun, runCompiled } from '../helpers/command.js';
import { compileAll } from '../helpers/compiled.js';
import { temporaryDirectory } from '../helpers/stores.js';

const limitMs = 180_000;

let directory: string;
let files: string;
beforeAll(() => {
  directory = compileAll('demo-test');
  files = temporaryDirectory();
}, limitMs);
afterAll(() => rmSync(files, { recursive: true, force: true }));

function demo(...parameters: string[]): Promise<CommandRun> {
  return runCompiled(join(directory, 'src/cli/index.js'), ['demo', '--seconds', '2', ...parameters]);
}

function write(name: string, content: string): string {
  const file = join(files, name);
  writeFileSync(file, content);
  return file;
}

interface Figures {
  workload: string;
  accounts: number;
  events: { sent: number; applied: number; denied: number; duplicate: number; repeatedOnPurpose: number };
  reservations: { made: number; denied: number; settled: number; released: number; settledShort: number };
  ledger: { entries: number };
}

const figure = expect.any(Number);
const whole = expect.stringMatching(/^\d+$/);

function expectSums({ events, reservations }: Figures): void {
  expect(events.applied + events.denied + events.duplicate).toBe(events.sent);
  expect(reservations.settled + reservations.released).toBe(reservations.made);
}

it(
  'makes a workload up where there are no files, says so, verifies it and leaves nothing behind',
  async () => {
    const { code, output, json, left } = await demo();
    expect([code, output]).toEqual([0, expect.stringContaining('every unit is accounted for exactly once')]);
    expect(output).toContain('made up in the shape of a production trace (no --trace)');
    expect(json).toMatchObject({
      events: { sent: figure, applied: figure, denied: figure, duplicate: figure, overdrawn: figure },
      reservations: { made: figure, denied: figure, settled: figure, released: figure },
      ledger: { entries: figure },
      verify: { accounts: 300, driftMicros: '0', missing: '0', doubled: '0', clean: true },
      charged: { credits: whole, tts_characters: whole },
      rates: { appliedPerSecond: figure, durablePerSecond: figure },
      durableLagMs: { p50: figure, p99: figure },
      problems: [],
    });
    expectSums(json as Figures);
    expect(left).toEqual([]);
  },
  limitMs,
);

it(
  'replays every row of its files, then again with new ids',
  async () => {
    // 20 minutes of 5 requests each: 20 batches a pass, so that one of them is sent twice; CRLF, no newline at the end.
    const rows = Array.from({ length: 100 }, (_, i) => {
      const minute = String(Math.floor(i / 5)).padStart(2, '0');
      return `2023-11-16 18:${minute}:46.6805900,${100 + i},${1 + i}`;
    });
    const trace = write('trace.csv', ['TIMESTAMP,ContextTokens,GeneratedTokens', ...rows].join('\r\n'));
    const sentences = write('sentences.txt', `${'Ein Satz über Fässer.\n'.repeat(20)}`);
    const { code, output, json } = await demo('--trace', trace, '--sentences', sentences);
    expect([code, output]).toEqual([0, expect.stringContaining('accounted for exactly once')]);
    const figures = json as Figures;
    expect(figures.workload).toBe(`100 requests of ${trace}, 20 sentences of ${sentences}`);
    expectSums(figures);
    expect(figures.events.sent).toBeGreaterThan(2 * 80);
    expect(figures.events.repeatedOnPurpose).toBeGreaterThan(0);
    expect(figures.reservations.released).toBeGreaterThan(0);
    expect(figures.reservations.settledShort).toBeGreaterThan(0);
    expect(figures.ledger.entries).toBeGreaterThan(figures.events.applied + figures.reservations.made);
  },
  limitMs,
);

it('names the line of a file that it cannot replay', async () => {
  const trace = write(
    'bad.csv',
    'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\nnonsense\n',
  );
  expect(await demo('--trace', trace)).toMatchObject({
    code: 1,
    output: expect.stringContaining(`${trace}:3: not a request: nonsense`),
  });
});
