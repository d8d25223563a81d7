/** The worked example of docs/credits.md: played in this process, line by line, and as the command that people run. */
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlayedPolicy, playPolicy } from '../../src/demo/policy.js';
import { packageRoot } from '../../src/paths.js';
import { type ProcessRun, runProcess } from '../helpers/command.js';
import { foldedStatement } from '../helpers/folded-statement.js';
import { temporaryDirectory } from '../helpers/stores.js';

const LIMIT_MS = 60_000;
const CREDITS = 1_000_000;
const realDate = globalThis.Date;
const FIGURES = {
  granted: 4100,
  available: 0,
  spent: 840,
  expired: 3060,
  converted: 200,
  ttsCharacters: 20_000,
  agents: { active: 2, suspended: 1 },
};

interface Step {
  day: string;
  by: string;
  what: string;
  granted: number;
  spent: number;
  expired: number;
  converted: number;
  available: number;
  ttsCharacters: number;
  agents: { active: number; suspended: number };
}

/** The rows of the table in docs/credits.md. */
function documented(): Step[] {
  const page = readFileSync(join(packageRoot, 'docs/credits.md'), 'utf8');
  const table = page.split('\n## The worked example\n')[1] ?? '';
  const [, , ...rows] = table.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((row) => {
    const [day = '', by = '', what = '', ...rest] = row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
    const [granted, spent, expired, converted, available, ttsCharacters] = rest.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const [active, suspended = '0'] = (rest[6] ?? '').replace(' suspended', '').split(', ');
    const agents = { active: Number(active), suspended: Number(suspended) };
    return { day, by, what, granted, spent, expired, converted, available, ttsCharacters, agents };
  });
}

describe('the worked example, line by line', () => {
  let played: PlayedPolicy;
  beforeAll(async () => {
    played = await playPolicy(new AbortController().signal);
  }, LIMIT_MS);

  /** The lines of all steps of a day: kind, what happened, agent, and what it changed in whole credits or units. */
  function linesOn(day: string): unknown[][] {
    const steps = played.steps.filter((step) => step.day === day);
    return steps.flatMap(({ lines }) =>
      lines.map(({ kind, agentEvent, planEvent, agentId, unit, ...line }) => {
        const event = [agentEvent, planEvent].find((name) => !name.endsWith('UNSPECIFIED')) ?? '';
        const change = [line.spent, line.expired, line.converted].reduce(
          (left, value) => left - Number(value),
          Number(line.granted),
        );
        return [
          kind.replace('ENTRY_KIND_', '').toLowerCase(),
          event.replace(/(AGENT|PLAN)_EVENT_/, '').toLowerCase(),
          agentId,
          change / (unit === 'UNIT_CREDITS' ? CREDITS : 1),
        ];
      }),
    );
  }

  it('grants the free credits once, when the account begins', () => {
    expect(linesOn('2026-01-02')).toEqual([
      ['account_created', '', '', 0],
      ['plan_change', 'changed', '', 0],
      ['plan_grant', '', '', 100],
    ]);
    const free = played.steps.flatMap(({ lines }) => lines.filter(({ plan }) => plan === 'free'));
    expect(free.filter(({ granted }) => granted !== '0')).toHaveLength(1);
  });

  it('pays agents and the conversion of 10 January with what expires first', () => {
    expect(linesOn('2026-01-10')).toEqual([
      ['plan_grant', '', '', 1_000],
      ['agent_unlock', 'unlocked', 'support', -50],
      ['agent_unlock', 'unlocked', 'sales', -50],
      ['agent_unlock', 'unlocked', 'docs', -50],
      ['conversion', '', '', -200],
      ['conversion_grant', '', '', 20_000],
    ]);
    const steps = played.steps.filter(({ day }) => day === '2026-01-10');
    const [grant, ...rest] = steps.flatMap(({ lines }) =>
      lines.filter(({ unit }) => unit === 'UNIT_CREDITS'),
    );
    const lot = grant?.lots[0]?.lotId;
    expect(rest.map(({ lots }) => lots.map(({ lotId }) => lotId))).toEqual(rest.map(() => [lot]));
  });

  it('renews three agents on 10 February and expires nothing, because the upgrade carried the rest forward', () => {
    expect(linesOn('2026-01-20')).toEqual([['plan_grant', '', '', 3_000]]);
    expect(linesOn('2026-02-10')).toEqual([
      ['agent_renewal', 'renewed', 'support', -30],
      ['agent_renewal', 'renewed', 'sales', -30],
      ['agent_renewal', 'renewed', 'docs', -30],
    ]);
  });

  it('expires what is left of both plans on 20 February, and grants nothing for being on Free again', () => {
    expect(linesOn('2026-02-15')).toEqual([['plan_change', 'scheduled', '', 0]]);
    expect(linesOn('2026-02-20')).toEqual([
      ['plan_change', 'changed', '', 0],
      ['lot_expired', '', '', -60],
      ['lot_expired', '', '', -3_000],
    ]);
  });

  it('renews two agents on 10 March with the free credits and suspends the third when its grace is over', () => {
    expect(linesOn('2026-03-10')).toEqual([
      ['agent_renewal', 'renewed', 'support', -30],
      ['agent_renewal', 'renewed', 'sales', -30],
      ['agent_status', 'unpaid', 'docs', 0],
    ]);
    expect(linesOn('2026-03-11')).toEqual([['agent_status', 'suspended', 'docs', 0]]);
    expect(played.agents.map(({ agentId, state }) => [agentId, state])).toEqual([
      ['support', 'AGENT_STATE_ACTIVE'],
      ['sales', 'AGENT_STATE_ACTIVE'],
      ['docs', 'AGENT_STATE_SUSPENDED'],
    ]);
  });

  it('books every step on its day, by the sidecar and by Redis, and leaves the time of this process as it was', () => {
    for (const { day, lines } of played.steps) {
      const times = new Set(lines.flatMap(({ bookedTimeMs, eventTimeMs }) => [bookedTimeMs, eventTimeMs]));
      expect([...times]).toEqual([String(Date.parse(day))]);
    }
    expect(globalThis.Date).toBe(realDate);
  });

  it('comes to the balance of every step by the lines before it, and to the statement by all of them', () => {
    const through: PlayedPolicy['steps'][number]['lines'][number][] = [];
    for (const { lines, balances } of played.steps) {
      through.push(...lines);
      for (const balance of balances) {
        const last = through.findLast(({ unit }) => unit === balance.unit);
        expect(balance).toEqual(last?.balanceAfter);
      }
    }
    const { statement } = played;
    const folded = foldedStatement(through, { fromTimeMs: 0, toTimeMs: Date.parse('2026-03-15') }, new Map());
    const sums = ({ sources: _, ...wallet }: (typeof statement.wallets)[number]) => wallet;
    expect(statement.wallets.map(sums)).toEqual(folded.wallets.map(sums));
    expect(statement.wallets.map(({ sources }) => sources)).toEqual([
      [
        { source: 'LOT_SOURCE_FREE', count: '1', granted: String(100 * CREDITS) },
        { source: 'LOT_SOURCE_PLAN', count: '2', granted: String(4_000 * CREDITS) },
      ],
      [{ source: 'LOT_SOURCE_CONVERSION', count: '1', granted: '20000' }],
    ]);
  });

  it('is verified clean', () => {
    expect(played.report).toMatchObject({ clean: true, accounts: 1, moving: 0, problems: [] });
  });
});

describe('drawdown demo policy', () => {
  it(
    'prints one JSON document with the figures of the example and every step as docs/credits.md says it',
    async () => {
      const { code, output, errors, left } = await demoPolicy(packageRoot, '--json');
      expect([code, errors, left]).toEqual([0, '', []]);
      const json = JSON.parse(output);
      expect(json).toMatchObject({ ...FIGURES, problems: [], verify: { clean: true } });
      expect(json.agents).toEqual(FIGURES.agents);
      const steps = (json.steps as (Step & { lines: object })[]).map(({ lines: _, ...step }) => step);
      expect(steps).toEqual(documented());
      expect(json.statement).toMatchObject({ accountId: 'acme', toTimeMs: String(Date.parse('2026-03-15')) });
      expect(json.agentList).toHaveLength(3);
    },
    LIMIT_MS,
  );

  it(
    'prints the steps, the statement of the customer and the agents for people',
    async () => {
      const { code, output, errors, left } = await demoPolicy(packageRoot);
      expect([code, errors, left]).toEqual([0, '', []]);
      for (const { day, by, what } of documented())
        expect(output).toMatch(new RegExp(`^${day}  ${by} .* ${escaped(what)}$`, 'm'));
      expect(output).toMatch(/^used: llm claude-opus-4-7 by support +150 +-300\.000000 /m);
      expect(output).toMatch(/^expired +-3060\.000000$/m);
      expect(output).toContain('closing: available 20000 tts_characters');
      expect(output).toMatch(/^docs +suspended +standard /m);
      expect(output).toContain('verify: clean');
    },
    LIMIT_MS,
  );

  it(
    'stops and leaves nothing behind when it is interrupted',
    async () => {
      const run = await runProcess(join(packageRoot, 'dist/cli/index.js'), ['demo', 'policy'], 'SIGINT');
      expect(run).toEqual({ code: 1, output: '', errors: 'interrupted\n', left: [] });
    },
    LIMIT_MS,
  );

  describe('with a catalog that is not that of the example', () => {
    const directory = temporaryDirectory();
    let run: ProcessRun;
    beforeAll(async () => {
      copyPackage(directory, (catalog) =>
        catalog.replace('name: pro, rank: 2, credits: 3000', 'name: pro, rank: 2, credits: 2900'),
      );
      run = await demoPolicy(directory);
    }, LIMIT_MS);
    afterAll(() => rmSync(directory, { recursive: true, force: true }));

    it('fails and says which figures differ', () => {
      expect(run).toMatchObject({ code: 1, left: [] });
      expect(run.errors).toContain('granted: 4000, by the example 4100; expired: 2960, by the example 3060');
    });
  });
});

function demoPolicy(root: string, ...parameters: string[]): Promise<ProcessRun> {
  return runProcess(join(root, 'dist/cli/index.js'), ['demo', 'policy', ...parameters]);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** What is published, with another catalog. */
function copyPackage(directory: string, change: (catalog: string) => string): void {
  for (const part of ['dist', 'lua', 'proto', 'src/postgres/migrations', 'package.json'])
    cpSync(join(packageRoot, part), join(directory, part), { recursive: true });
  symlinkSync(join(packageRoot, 'node_modules'), join(directory, 'node_modules'));
  const shipped = readFileSync(join(packageRoot, 'catalog.yaml'), 'utf8');
  const changed = change(shipped);
  expect(changed).not.toBe(shipped);
  writeFileSync(join(directory, 'catalog.yaml'), changed);
}
