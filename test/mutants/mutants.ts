/** Bugs that this system must not have, and for each the test that must notice it. Kept equal to docs/reliability.md by a test. */

/** `find` stands in the file exactly once. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A test by its file and the titles that lead to it, each as it stands in the file. */
export interface NamedTest {
  readonly file: string;
  readonly titles: readonly string[];
}

export interface Mutant {
  readonly name: string;
  /** What callers could no longer rely on. */
  readonly promise: string;
  readonly edits: readonly Edit[];
  readonly caughtBy: NamedTest;
}

export function fullName({ titles }: NamedTest): string {
  return titles.join(' ');
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'dedupe-write-dropped',
    promise: 'Once: an id is charged at most once, whichever sidecar it comes through.',
    edits: [
      {
        file: 'lua/batch.lua',
        find: '  hash_write(ids_current, ctx.id_pairs)\n',
        replace: '',
      },
    ],
    caughtBy: {
      file: 'test/integration/pair.test.ts',
      titles: ['two sidecars on one installation', 'charge an event that comes through both once'],
    },
  },
  {
    name: 'xadd-after-hset',
    promise: 'Explained: no balance changes without the record that says why.',
    edits: [
      {
        file: 'lua/batch.lua',
        find: "  redis.call('XADD', JOURNAL, ",
        replace: "  local function append() redis.call('XADD', JOURNAL, ",
      },
      {
        file: 'lua/batch.lua',
        find: "'c', string.format('%.0f', bytes))\n",
        replace: "'c', string.format('%.0f', bytes)) end\n",
      },
      {
        file: 'lua/batch.lua',
        find: "  redis.call('HSET', META, 'time', ",
        replace: "  append()\n  redis.call('HSET', META, 'time', ",
      },
    ],
    caughtBy: {
      file: 'test/lua/journal.test.ts',
      titles: ['a batch whose record cannot be written changes nothing'],
    },
  },
  {
    name: 'trim-before-commit',
    promise: 'Not lost: a record stays in the journal until Postgres has it.',
    edits: [
      {
        file: 'lua/durable.lua',
        find: 'if keep_from > 0 and keep_from <= meta.durable_seq then',
        replace: 'if keep_from > 0 then',
      },
    ],
    caughtBy: {
      file: 'test/lua/journal.test.ts',
      titles: ['the journal keeps what is not committed, whoever says that it may go'],
    },
  },
  {
    name: 'epoch-ignored',
    promise: 'Fenced: whoever believes in an epoch that is over reads and changes nothing.',
    edits: [
      {
        file: 'lua/includes/fence.lua',
        find: "  if meta.epoch ~= tonumber(ARGV[2]) then return nil, cmsgpack.pack({ 'FENCED', 'epoch', meta.epoch }) end\n",
        replace: '',
      },
    ],
    caughtBy: {
      file: 'test/lua/fence.test.ts',
      titles: ['whoever believes in an epoch that is over is refused by every script'],
    },
  },
  {
    name: 'run-id-ignored',
    promise: 'Fenced: a Redis that was restarted serves nobody before it is verified.',
    edits: [
      {
        file: 'lua/includes/fence.lua',
        find: "  if meta.run_id ~= ARGV[3] then return nil, cmsgpack.pack({ 'FENCED', 'run_id', meta.epoch }) end\n",
        replace: '',
      },
    ],
    caughtBy: {
      file: 'test/lua/fence.test.ts',
      titles: [
        'whoever is connected to another server than the one that was verified is refused by every script',
      ],
    },
  },
  {
    name: 'cursor-row-not-locked',
    promise: 'Fenced: two flushers at one cursor cannot both write.',
    edits: [
      {
        file: 'src/postgres/partitions.ts',
        find: 'WHERE partition = ANY($1::integer[]) ORDER BY partition FOR UPDATE`',
        replace: 'WHERE partition = ANY($1::integer[]) ORDER BY partition`',
      },
    ],
    caughtBy: {
      file: 'test/fault/flush.test.ts',
      titles: ['of two flushers at one cursor the second waits for the first, and writes nothing'],
    },
  },
  {
    name: 'carry-forward-skips-held-parts',
    promise: 'Policy: an upgrade carries what is left forward, held parts included.',
    edits: [
      {
        file: 'lua/includes/op_change_plan.lua',
        find: 'if lot[L_SOURCE] == SOURCE_PLAN and lot[L_EXPIRES] == ends then',
        replace: 'if lot[L_SOURCE] == SOURCE_PLAN and lot[L_EXPIRES] == ends and lot[L_HELD] == 0 then',
      },
    ],
    caughtBy: {
      file: 'test/lua/plans.test.ts',
      titles: [
        'an upgrade',
        'opens a period now, grants in full, and carries what is left forward, held parts included',
      ],
    },
  },
  {
    name: 'release-revives-expired-lot',
    promise: 'Policy: units that are released into a lot that has expired meanwhile expire.',
    edits: [
      {
        file: 'lua/includes/end_hold.lua',
        find: '    if part > taken and lot[L_EXPIRES] > 0 and lot[L_EXPIRES] <= ctx.at then',
        replace: '    if false then',
      },
    ],
    caughtBy: {
      file: 'test/lua/overdue-holds.test.ts',
      titles: ['what is released into a lot whose time is over is there for nobody, nor said to be'],
    },
  },
  {
    name: 'rounding-per-part',
    promise: 'Policy: a price is rounded up once per event, never per part.',
    edits: [
      {
        file: 'src/catalog/pricing.ts',
        find: '    sum += product;\n',
        replace: '    sum += Math.ceil(product / divisor) * divisor;\n',
      },
    ],
    caughtBy: {
      file: 'test/unit/catalog-pricing.test.ts',
      titles: ['the price of an event', 'is rounded up once, and not per kind of token'],
    },
  },
  {
    name: 'settle-keeps-larger-count',
    promise: 'A settle is authoritative both ways: less than what was acknowledged is charged less.',
    edits: [
      {
        file: 'lua/includes/op_settle.lua',
        find: '    amount = amount_for(op, 10, hold[H_UNIT])\n',
        replace:
          '    amount = amount_for(op, 10, hold[H_UNIT])\n    if amount then amount = math.max(amount, hold[H_CHARGE]) end\n',
      },
      {
        file: 'lua/includes/apply_rows.lua',
        find: '            if unit_1 ~= unit then amount = unit_2 == unit and amount_2 or 0 end\n',
        replace:
          "            if unit_1 ~= unit then amount = unit_2 == unit and amount_2 or 0 end\n            amount = math.max(amount, (unpack('<I7', held, 38)))\n",
      },
    ],
    caughtBy: {
      file: 'test/lua/sessions.test.ts',
      titles: ['sessions', 'are charged what the settle says, also where more was acknowledged before'],
    },
  },
  {
    name: 'denial-stored',
    promise: 'Once: only what changed something is remembered; a denial is judged afresh.',
    edits: [
      {
        file: 'lua/includes/op_reserve.lua',
        find: '  if not covered then return denied(REASON_INSUFFICIENT_BALANCE, unit, have, amount - have) end\n',
        replace: `  if not covered then
    redis.call('HSET', KEYS[5], field, struct.pack(OUTCOME, op[P_HASH], ctx.seq, STATE_RELEASED, unit, 0, 0, have, 0, 0, 0))
    return denied(REASON_INSUFFICIENT_BALANCE, unit, have, amount - have)
  end
`,
      },
    ],
    caughtBy: {
      file: 'test/integration/promises.test.ts',
      titles: ['once', 'denied, topped up, the same id again: allowed'],
    },
  },
  {
    name: 'copy-error-swallowed',
    promise: 'Not lost: what Postgres refused is not counted as durable.',
    edits: [
      {
        file: 'src/flush/flush.ts',
        find: '    if (!isDuplicateEntry(error)) throw error;\n',
        replace: `    if (!isDuplicateEntry(error)) {
      await client.query('ROLLBACK TO SAVEPOINT before_lines');
      return { prepared, duplicates: 0 };
    }
`,
      },
    ],
    caughtBy: {
      file: 'test/fault/flush.test.ts',
      titles: ['lines that Postgres cannot take are not durable, and are booked once it can'],
    },
  },
  {
    name: 'sweeper-ignores-generation',
    promise:
      'A session that was taken over lives by its new deadline: the one of its old owner ends nothing.',
    edits: [
      {
        file: 'lua/includes/operations.lua',
        find: 'local function op_expire_hold() return CODE_OK end\n',
        replace: `local function op_expire_hold(_, op)
  local hold = hold_get(hold_field(op[P_ACCOUNT], op[P_ID]))
  if hold then rare().end_due_hold(op[P_ACCOUNT], op[P_ID], hold) end
  return CODE_OK
end
`,
      },
    ],
    caughtBy: {
      file: 'test/lua/sessions.test.ts',
      titles: [
        'sessions',
        'that were taken over are not ended by a sweep for the deadline of their old owner',
      ],
    },
  },
  {
    name: 'deadline-dropped-too-soon',
    promise:
      'Nothing to clean up: a deadline that many sessions share stays until none of them is open, whatever becomes of the sweep that finds it.',
    edits: [
      {
        file: 'lua/due.lua',
        find: '      is_left = true\n',
        replace: '',
      },
    ],
    caughtBy: {
      file: 'test/lua/deadlines.test.ts',
      titles: [
        'sessions that begin together share a deadline; once it has passed, those that are open are due, and it goes with the last',
      ],
    },
  },
  {
    name: 'watermark-by-seq-alone',
    promise:
      'Not lost: what was lost with an epoch is not called durable because the next one has come as far.',
    edits: [
      {
        file: 'src/usage/watermarks.ts',
        find: '      if (position.epoch === mark.epoch && position.seq <= mark.seq) continue;\n',
        replace: '      if (position.seq <= mark.seq) continue;\n',
      },
    ],
    caughtBy: {
      file: 'test/unit/watermarks.test.ts',
      titles: [
        'what was applied in an epoch that is closed',
        'must be sent again beyond its last entry, however far the next epoch has come',
      ],
    },
  },
];
