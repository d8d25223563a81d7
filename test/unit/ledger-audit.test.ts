import { describe, expect, it } from 'vitest';
import { compileCatalog } from '../../src/catalog/pricing.js';
import { parseCatalog } from '../../src/catalog/schema.js';
import { auditAccount, nextDueMs, type StoredAccount } from '../../src/ledger/account-audit.js';
import { conversionProblem } from '../../src/ledger/conversion-pairs.js';
import { AccountFold } from '../../src/ledger/fold.js';
import type { LedgerLine } from '../../src/ledger/line.js';
import { repriceProblem } from '../../src/ledger/reprice.js';
import { checksumHolds, copiedRows, decodeEntry, entryPlace } from '../../src/postgres/entry-reader.js';
import { COPY_HEADER, COPY_TRAILER, EntryEncoder, type EntryRow } from '../../src/postgres/entry-row.js';

const base: EntryRow = {
  accountKey: 7,
  accountSeq: 3,
  partition: 2,
  epoch: 1,
  seq: 2 ** 52 + 1,
  kind: 'usage',
  id: 'event/1',
  payloadHash: 2 ** 47 + 5,
  eventMonth: 202_612,
  eventTimeMs: 1_798_761_599_999,
  bookedTimeMs: 1_798_761_600_000,
  agent: '',
  meter: 'llm',
  model: 'm',
  quantities: '{"input":1500,"cached":500,"output":10}',
  catalogVersion: 1,
  unit: 'credits',
  granted: 0,
  spent: 5,
  expired: 0,
  converted: 0,
  debt: -(2 ** 40) - 3,
  released: 0,
  lots: '[[1,-5]]',
  remainingAfter: Number.MAX_SAFE_INTEGER,
  heldAfter: 0,
  debtAfter: 0,
  flags: '',
  note: null,
};

describe('rows of the ledger', () => {
  it.each([1, 3, 7, 64, 100_000])(
    'are read back as they were written, in pieces of %d bytes',
    async (size) => {
      const encoder = new EntryEncoder(16);
      const written = Array.from(
        { length: 20 },
        (_, i): EntryRow => ({
          ...base,
          seq: i,
          model: 'ü€😀'.repeat(i),
          note: i % 3 === 0 ? null : 'ü'.repeat(i - 1),
        }),
      );
      for (const row of written) encoder.add(row);
      const bytes = Buffer.concat([COPY_HEADER, encoder.bytes(), COPY_TRAILER]);
      async function* pieces(): AsyncGenerator<Buffer> {
        for (let place = 0; place < bytes.length; place += size) yield bytes.subarray(place, place + size);
      }
      const read: EntryRow[] = [];
      const raw: Buffer[] = [];
      for await (const rows of copiedRows(pieces())) {
        for (const row of rows) {
          expect(checksumHolds(row)).toBe(true);
          read.push(decodeEntry(row));
          raw.push(Buffer.from(row));
        }
      }
      expect(read).toEqual(written);
      expect(Buffer.concat(raw).equals(encoder.bytes())).toBe(true);
    },
  );

  it('name their place without being decoded, and show every flipped bit', () => {
    const encoder = new EntryEncoder();
    encoder.add(base);
    const row = encoder.bytes();
    const { accountKey, accountSeq, partition, epoch, seq } = base;
    expect(entryPlace(row)).toEqual({ accountKey, accountSeq, partition, epoch, seq });
    for (let i = 0; i < row.length; i++) {
      // The length of the checksum is the same in every row, and no column.
      if (i >= row.length - 8 && i < row.length - 4) continue;
      for (const bit of [1, 128]) {
        const changed = Buffer.from(row);
        changed.writeUInt8(changed.readUInt8(i) ^ bit, i);
        expect(checksumHolds(changed)).toBe(false);
      }
    }
  });

  it('are nothing else than a COPY', async () => {
    async function* text(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\t2\t3 and so on, as a COPY in text has it\n');
    }
    await expect(copiedRows(text()).next()).rejects.toThrow('not a COPY in binary form');
  });
});

describe('a charge is priced again', () => {
  const parsed = parseCatalog(
    `format: 1
meters:
  llm: { quantities: { input: {}, cached: { part_of: input }, output: {} }, wallets: [credits] }
  tts: { quantities: { characters: {} }, wallets: [tts_characters, credits], one_to_one: { tts_characters: characters } }
rate_card:
  unknown_models: unrated
  models:
    - { name: m, meter: llm, source: here, date: 2026-01-01, prices: { input: 0.003, cached: 0.001, output: 0.1 } }
`,
    'test',
  );
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const compiled = compileCatalog(parsed.catalog, 1);
  const says = (more: Partial<LedgerLine>): string | null =>
    repriceProblem({ ...base, ...more }, (version) => (version === 1 ? compiled : undefined));

  // 1000 x 0.003 + 500 x 0.001 + 10 x 0.1 credits a million = 4.5 micro-credits, rounded up.
  it.each<[what: string, line: Partial<LedgerLine>, says: string | null]>([
    ['the right price', {}, null],
    ['another price', { spent: 4 }, 'spent 4, catalog version 1 says 5'],
    ['a settle', { kind: 'settle', spent: 6 }, 'spent 6, catalog version 1 says 5'],
    ['a duplicate', { kind: 'duplicate' }, null],
    ['an amount that the caller named', { kind: 'settle', catalogVersion: 0, spent: 99 }, null],
    ['usage without a version', { catalogVersion: 0 }, 'usage without a catalog version'],
    ['a version that is not there', { catalogVersion: 2 }, 'catalog version 2 is not there'],
    ['unrated usage', { model: 'x', spent: 0, flags: 'unrated' }, null],
    [
      'unrated usage that was charged',
      { model: 'x', spent: 1, flags: 'unrated' },
      'spent 1, catalog version 1 says 0',
    ],
    ['unrated usage without its flag', { model: 'x', spent: 0 }, 'unrated, without the flag'],
    ['rated usage with the flag', { flags: 'overdrawn,unrated' }, 'flagged unrated, and it has a price'],
    [
      'an allowance',
      { meter: 'tts', unit: 'tts_characters', quantities: '{"characters":80}', spent: 80 },
      null,
    ],
    [
      'an allowance, wrong',
      { meter: 'tts', unit: 'tts_characters', quantities: '{"characters":80}', spent: 81 },
      'spent 81, catalog version 1 says 80',
    ],
    [
      'a wallet that the meter has not',
      { unit: 'tts_characters' },
      'meter llm has no wallet of tts_characters',
    ],
    [
      'a quantity that the meter has not',
      { quantities: '{"words":1}' },
      'cannot be priced with catalog version 1: quantities.words unknown_quantity',
    ],
    ['quantities that are none', { quantities: '[1]' }, 'quantities are [1]'],
    ['a release', { kind: 'release', spent: 0 }, null],
  ])('%s', (_, line, expected) => {
    expect(says(line)).toBe(expected);
  });
});

describe('credits that were converted', () => {
  const parsed = parseCatalog(
    `format: 1
meters:
  tts: { quantities: { characters: {} }, wallets: [tts_characters, credits], one_to_one: { tts_characters: characters } }
rate_card: { unknown_models: unrated, models: [] }
allowances: { tts_characters: { units: 3, credits: 1, auto_convert: false } }
`,
    'test',
  );
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const compiled = compileCatalog(parsed.catalog, 1);
  const away = { ...base, kind: 'conversion', id: 'c', spent: 0, converted: 666_667, catalogVersion: 1 };
  const brought = {
    ...base,
    kind: 'conversion_grant',
    id: 'c',
    unit: 'tts_characters',
    spent: 0,
    granted: 2,
    catalogVersion: 1,
  };
  const says = (before: Partial<LedgerLine> | null, line: Partial<LedgerLine>): string | null =>
    conversionProblem(before && { ...away, ...before }, { ...brought, ...line }, (version) =>
      version === 1 ? compiled : undefined,
    );

  it.each<[what: string, before: Partial<LedgerLine> | null, line: Partial<LedgerLine>, says: string | null]>(
    [
      ['stand beside what they bought, at the rate', {}, {}, null],
      [
        'cost something else',
        { converted: 666_666 },
        {},
        'converted 666666 for 2, catalog version 1 says 666667',
      ],
      ['bought something else', {}, { granted: 1 }, 'converted 666667 for 1, catalog version 1 says 333334'],
      ['bought nothing', {}, { kind: 'settle' }, 'what the conversion c bought is not the next line'],
      ['were held and not needed', { converted: 0 }, { kind: 'settle' }, null],
      ['are not there', null, {}, 'the line before is not the conversion that paid for it'],
      ['are of another request', { id: 'd' }, {}, 'the line before is not the conversion that paid for it'],
      ['have no rate', {}, { unit: 'llm_messages' }, 'catalog version 1 has no rate for llm_messages'],
    ],
  )('%s', (_, before, line, expected) => {
    expect(says(before, line)).toBe(expected);
  });
});

describe('an account against its lines', () => {
  const lines: readonly Partial<LedgerLine>[] = [
    { accountSeq: 1, seq: 1, kind: 'account_created', unit: '', lots: '[]', remainingAfter: 0 },
    { accountSeq: 2, seq: 2, kind: 'grant', granted: 100, lots: '[[1,100]]', remainingAfter: 100 },
    { accountSeq: 3, seq: 3, spent: 40, lots: '[[1,-40]]', remainingAfter: 60 },
  ];
  const account: StoredAccount = {
    accountKey: 7,
    accountId: 'acme',
    partition: 2,
    status: 1,
    entries: 3,
    seq: 4,
    changedMs: 0,
    lotsMade: 1,
    openHolds: 1,
    nextDueMs: 9_000,
    subscription: null,
    wallets: [{ unit: 'credits', debt: 0, granted: 100n, spent: 40n, expired: 0n, converted: 0n }],
    lots: [
      {
        lotId: 1,
        unit: 'credits',
        source: 'top_up',
        priority: 20,
        expiresMs: 9_000,
        remaining: 60,
        held: 15,
        owner: 0,
      },
    ],
    holds: [
      {
        holdId: 'h',
        partition: 2,
        agent: '',
        meter: 'llm',
        model: 'm',
        unit: 'credits',
        held: 15,
        startMs: 1,
        deadlineMs: 2,
        catalogVersion: 1,
        state: {
          accountKey: 7,
          agent: '',
          meter: 'llm',
          model: 'm',
          unit: 'credits',
          amount: 15,
          startMs: 1,
          deadlineMs: 2,
          catalogVersion: 1,
          generation: 0,
          charge: 0,
          details: '',
          parts: [1, 10, 1, 5],
        },
      },
    ],
  };

  function audit(change: Partial<StoredAccount>): { drift: bigint; messages: string[]; missing: number } {
    const messages: string[] = [];
    const fold = new AccountFold(7, ({ message }) => messages.push(message));
    for (const line of lines) fold.add({ ...base, spent: 0, debt: 0, ...line });
    const drift = auditAccount(fold, { ...account, ...change }, ({ message }) => messages.push(message));
    return { drift, messages, missing: fold.missing };
  }

  it('agrees', () => {
    expect(audit({})).toEqual({ drift: 0n, messages: [], missing: 0 });
  });

  it('counts lines that are missing at its end', () => {
    expect(audit({ entries: 5 })).toEqual({
      drift: 0n,
      messages: ['the ledger ends at line 3, the account at 5'],
      missing: 2,
    });
  });

  it('compares the agents that the lines leave with those of the subscription', () => {
    const note = JSON.stringify({ agent_event: 'unlocked', tier: 'standard', from_ms: 5, to_ms: 90 });
    const unlocked = {
      accountSeq: 4,
      seq: 4,
      kind: 'agent_unlock',
      agent: 'support',
      note,
      lots: '[]',
      remainingAfter: 60,
    };
    const left = { id: 'support', tier: 'standard', state: 'active' as const, fromMs: 5, toMs: 90 };
    const withAgents = (agents: (typeof left)[] | null): string[] => {
      const messages: string[] = [];
      const fold = new AccountFold(7, ({ message }) => messages.push(message));
      for (const line of [...lines, unlocked]) fold.add({ ...base, spent: 0, debt: 0, ...line });
      const columns = { plan: '', periodStartMs: 0, periodEndMs: 0, dueMs: 90 };
      const subscription = agents && { ...columns, state: { ...columns, agents, packed: [] } };
      const stored = { ...account, entries: 4, nextDueMs: agents ? 90 : 9_000, subscription };
      auditAccount(fold, stored, ({ message }) => messages.push(message));
      return messages;
    };
    expect(withAgents([left])).toEqual([]);
    expect(withAgents(null)).toEqual(['the lines leave 1 agents, there is no subscription']);
    expect(withAgents([{ ...left, toMs: 91 }])).toEqual([
      'the lines leave agent support standard active 5 to 90, the subscription does not',
      'the subscription has agent support standard active 5 to 91, the lines do not',
    ]);
  });

  const [lot] = account.lots;
  const [wallet] = account.wallets;
  const [hold] = account.holds;
  if (lot === undefined || wallet === undefined || hold?.state == null) throw new Error('incomplete');
  const { state } = hold;
  it.each<[what: string, change: Partial<StoredAccount>, drift: bigint, says: string[]]>([
    ['fewer entries', { entries: 2 }, 0n, ['the ledger has 3 lines, the account 2']],
    ['an older seq', { seq: 2 }, 0n, ['the last line has seq 3, the account 2']],
    [
      'another partition',
      { partition: 1 },
      0n,
      ['the lines lie in partition 2, the account in 1', 'hold h: its columns and its state differ'],
    ],
    ['more lots made', { lotsMade: 2 }, 0n, ['the lines made 1 lots, the account says 2']],
    [
      'a later expiry',
      { nextDueMs: 0 },
      0n,
      ['a lot expires or the plan changes at 9000, the account says 0'],
    ],
    [
      'a missing wallet',
      { wallets: [] },
      0n,
      [
        'the wallet of credits is missing',
        'credits: the lines add up to granted 100, the wallet says 0',
        'credits: the lines add up to spent 40, the wallet says 0',
        'credits: granted 0 + debt 0 is not available 45 + held 15 + spent 0 + expired 0 + converted 0',
      ],
    ],
    [
      'a wallet without a line',
      { wallets: [wallet, { ...wallet, unit: 'llm_messages', granted: 0n, spent: 0n }] },
      0n,
      ['a wallet of llm_messages without a line'],
    ],
    [
      'debt',
      { wallets: [{ ...wallet, debt: 8 }] },
      8n,
      [
        'credits: debt is 0 in the ledger, 8 in the wallet',
        'credits: granted 100 + debt 8 is not available 45 + held 15 + spent 40 + expired 0 + converted 0',
      ],
    ],
    [
      'more in a lot',
      { lots: [{ ...lot, remaining: 65 }] },
      5n,
      [
        'credits: lot 1 has 65 remaining, the ledger says 60',
        'credits: granted 100 + debt 0 is not available 50 + held 15 + spent 40 + expired 0 + converted 0',
      ],
    ],
    [
      'a lost lot',
      { lots: [], nextDueMs: 0 },
      60n,
      [
        'the open holds hold 15 of lot 1, which has nothing',
        'credits: lot 1 has nothing remaining, the ledger says 60',
        'credits: granted 100 + debt 0 is not available 0 + held 0 + spent 40 + expired 0 + converted 0',
      ],
    ],
    [
      'units held by nobody',
      { lots: [{ ...lot, held: 16 }] },
      0n,
      ['credits: lot 1 holds 16, the open holds 15'],
    ],
    [
      'a lost hold',
      { holds: [] },
      0n,
      ['0 open holds, the account says 1', 'credits: lot 1 holds 15, the open holds 0'],
    ],
    [
      'a hold of another amount',
      { holds: [{ ...hold, held: 14, state: { ...state, amount: 14 } }] },
      0n,
      ['hold h: its parts are 15, its amount 14'],
    ],
    [
      'a hold in another wallet',
      { holds: [{ ...hold, unit: 'llm_messages', state: { ...state, unit: 'llm_messages' } }] },
      0n,
      ['a hold of llm_messages on lot 1 of credits'],
    ],
  ])('finds %s', (_, change, drift, says) => {
    expect(audit(change)).toMatchObject({ drift, messages: says });
  });

  it('expires next what is available of the soonest lot', () => {
    const lots = [
      { ...lot, expiresMs: 0 },
      { ...lot, expiresMs: 5_000, held: 60 },
      { ...lot, expiresMs: 8_000 },
      { ...lot, expiresMs: 7_000 },
    ];
    expect(nextDueMs(lots, 0)).toBe(7_000);
    expect(nextDueMs(lots, 6_000)).toBe(6_000);
    expect(nextDueMs(lots.slice(0, 2), 0)).toBe(0);
  });
});
