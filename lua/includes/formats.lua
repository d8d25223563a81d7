-- Numbers, positions and layouts that scripts, journal and src/redis/format.ts share. Whoever changes one raises FORMAT, and
-- readers refuse a number that they do not know. The loader puts the values in place of the names (Lua allows 200 local
-- names in a script, and a literal is faster than a name): numbers and quoted strings only. Batches are msgpack; what is packed once an event, a hold or an account
-- has a fixed layout for struct.pack, which costs a third of a msgpack table (measured: 0.4 against 1.1 us an outcome).
local FORMAT = 1

-- HMGET and HSET take at most this many fields or pairs at once: Lua's unpack() fails near 8,000 values, and it must not
-- fail between two writes.
local CHUNK_MAX = 3000

-- The largest integer that a Lua number holds exactly.
local AMOUNT_MAX = 9007199254740991

-- Every key holds this field or member, so that none appears or vanishes while the cluster slot moves.
local SENTINEL = ''

-- What stands behind so many bits of a number that holds several.
local TWO_8, TWO_16, TWO_24, TWO_40 = 256, 65536, 16777216, 1099511627776

-- Rows of a batch: {kind, account index, id, payload hash, time in ms, ids_since at the check in Postgres or -1, ...}
local OP_USAGE, OP_RESERVE, OP_EXTEND, OP_SETTLE, OP_RELEASE, OP_EXPIRE_HOLD = 1, 2, 3, 4, 5, 6
local OP_TOUCH, OP_CREATE, OP_GRANT, OP_REVERSE, OP_LOOKUP = 7, 8, 9, 10, 11
local OP_RERATE, OP_EXPIRE_LOT, OP_SET_STATUS, OP_CONVERT = 12, 13, 14, 15
local OP_START_PERIOD, OP_CHANGE_PLAN, OP_WITHDRAW_CHANGE, OP_SHOW = 18, 19, 20, 21
local OP_UNLOCK_AGENT, OP_ACTIVATE_AGENT, OP_SUSPEND_AGENT, OP_REMOVE_AGENT = 22, 23, 24, 25
local OP_OPEN_SESSION, OP_CHECKPOINT = 26, 27
-- What the caller of a reversal knew of the charge: nothing of note, that it was rerated, that the session had not been settled.
local SEEN_CHARGE, SEEN_RERATED, SEEN_UNSETTLED = 0, 1, 2
local P_KIND, P_ACCOUNT, P_ID, P_HASH, P_TIME, P_CHECKED = 1, 2, 3, 4, 5, 6
-- Usage events travel as columns, because a table an event costs several times what its values cost: among them the fields of their ids, letter and scope
-- included, because a string that is made here costs twice what it costs to unpack one, and two (unit, amount)
-- pairs, the second of unit 0 where there is none. One column lists the few that have more to say, flat:
-- (number of the event, ids_since at the check or -1, further (unit, amount) pairs). The last two say for which agent an event is: its place in
-- the list of the batch's agents (0: for none), and that list.
-- Sessions that are opened and settled, and holds that are settled, are many, too: where they have nothing unusual to say, there stands only their kind
-- among the rows, in two columns their account and the field of their id, which no two of them share, and the rest is packed, one after the other: of an open start time, hold
-- time, twice unit, charge of what is known, least and wanted to set aside (the second of unit 0 where there is none), and what its hold keeps as it is, in
-- one piece (catalog version, payload hash, start time, agent, meter, model, details: SAID); of a settle payload hash, time, catalog version, generation, twice unit and amount, agent.
local SHORT_ACCOUNT, SHORT_FIELD = 1, 2
local SHORT_OPEN, SHORT_SETTLE, SAID = '<I7I7BI7I7I7BI7I7I7Hc0', '<I6I7I4I4BI7BI7s', '<I4I6I7ssss'
-- A pair with a negative unit stands for credits that are converted for the characters of a pair before it, in whole blocks: -unit is the
-- units of a block, amount its whole credits x CONVERSION_PRIORITIES + the priority of the lot that it becomes. Unpacked: a table of these.
local CONVERSION_PRIORITIES, MICROS_PER_CREDIT = 1048576, 1000000
local T_UNITS, T_MICROS, T_PRIORITY = 1, 2, 3
local U_ACCOUNT, U_FIELD, U_HASH, U_TIME, U_UNIT, U_AMOUNT, U_UNIT_2, U_AMOUNT_2, U_MORE = 1, 2, 3, 4, 5, 6, 7, 8, 9
local U_AGENT, U_AGENTS = 10, 11

-- What the script says of each operation.
local CODE_MISS, CODE_OK, CODE_DUPLICATE, CODE_CONFLICT, CODE_DENIED, CODE_CHECK = 0, 1, 2, 3, 4, 5
-- STALE: look again; of a checkpoint: the session has a newer owner. ENDED: what the session ended with.
local CODE_REPRICE, CODE_LIMIT, CODE_NONE, CODE_STALE, CODE_BEHIND, CODE_BROKEN, CODE_ENDED, CODE_OPENED = 6, 7, 8, 9, 10, 11, 12, 13

-- Reasons: the numbers of drawdown.v1.Reason, and from 100 on those that only the control plane sees.
local REASON_INSUFFICIENT_BALANCE, REASON_MODEL_UNRATED, REASON_HOLD_ENDED, REASON_HOLD_UNKNOWN = 1, 6, 8, 9
local REASON_EVENT_TOO_OLD = 10
local REASON_AGENT_SUSPENDED, REASON_AGENTS_MAX = 5, 16
local REASON_FIELD_INVALID, REASON_AMOUNT_OUT_OF_RANGE, REASON_LOTS_MAX, REASON_ACCOUNT_EXISTS = 12, 13, 15, 100
local REASON_ACCOUNT_FROZEN, REASON_ACCOUNT_CLOSED, REASON_ACCOUNT_ACTIVE = 3, 4, 101
local REASON_ALREADY_REVERSED, REASON_LOT_UNKNOWN, REASON_LOT_ENDED = 102, 103, 104
local REASON_PERIOD_OVERLAPS, REASON_PERIOD_ENDED, REASON_PERIOD_STORED = 110, 111, 112
local REASON_PLAN_UNCHANGED, REASON_NOTHING_SCHEDULED = 113, 114
local REASON_AGENT_UNKNOWN, REASON_AGENT_EXISTS, REASON_AGENT_ACTIVE = 120, 121, 122

-- A stored outcome: hash (48 bits), seq, state, unit, amount, overdrawn, available, flags, extra, catalog version.
local OUTCOME = '<I6I7BBI7I7I7HI7I4'
-- The same of a session that was settled the short way, state + unit x 256 as one, because what is packed costs by the value.
local OUTCOME_SETTLED = '<I6I7HI7I7I7HI7I4'
-- Behind an outcome with FLAG_CONVERTED: micro-credits that were converted.
local OUTCOME_CONVERTED = '<I7'
-- Behind an outcome of an agent: when its cycle began.
local OUTCOME_AGENT = '<I7'
-- Usage that one lot paid in full, by far the most frequent outcome, ends with what is available: the rest is zero. Its state says so.
local OUTCOME_PAID = '<I6I7BBI7I7'
-- A denial: reason, unit, available, missing. A limit: its name, ended by a zero byte. A catalog version to price with again.
local DENIAL, LIMIT, REPRICE = '<BBI7I7', 's', '<I4'
-- A session that was opened or taken over: seq, generation, unit, held, what of it is there for the charge, available, deadline, catalog version, the
-- charge and the details of the last checkpoint (empty: opened now). One that was checkpointed: seq, why it did not grow (0: it did, or was not to),
-- held, what of it is there for the charge, available, deadline.
local SESSION_OPENED, SESSION_CHECKPOINTED = '<I7I4BI7I7I7I7I4I7s', '<I7BBI7I7I7I7'
local STATE_RECORDED, STATE_HELD, STATE_SETTLED, STATE_RELEASED, STATE_EXPIRED = 1, 2, 3, 4, 5
local STATE_EXTENDED, STATE_CREATED, STATE_GRANTED, STATE_REVERSED = 6, 7, 8, 9
local STATE_RERATED, STATE_LOT_EXPIRED, STATE_STATUS_SET, STATE_CONVERTED = 10, 11, 12, 13
local STATE_PERIOD_STARTED, STATE_PERIOD_STORED, STATE_PLAN_CHANGED, STATE_PLAN_SCHEDULED, STATE_PLAN_WITHDRAWN = 15, 16, 17, 18, 19
local STATE_PAID = 20
local STATE_AGENT_UNLOCKED, STATE_AGENT_ACTIVATED, STATE_AGENT_SUSPENDED, STATE_AGENT_REMOVED = 21, 22, 23, 24

-- An entry of the journal: op index (0: none), kind, account index, number within the account (0: not a ledger line), unit,
-- amount, change of debt, remaining, held and debt after, flags, what a hold gave back, count of (lot, change of remaining) pairs; the pairs; and for
-- RELEASE and HOLD_EXPIRED hold id, agent, meter, model (each ended by a zero byte), catalog version, and when it ended; for SESSION_EXPIRED the
-- same, with the quantities that were charged before the time; for SETTLE for which agent it was (ended by a zero byte), and with FLAG_DIFFERENCE what was
-- charged, overdrawn and converted before; for
-- CONVERSION_GRANT the priority of its lot; for LOT_EXPIRED, PLAN_GRANT and
-- PLAN_CHANGE when it was due, then for PLAN_GRANT plan, source, priority and expiry of the lot, start and end of the period (0: none), and for
-- PLAN_CHANGE plan, what happened to it, and from when to when (0: open); for OPENING_LOT source, priority and expiry of the lot;
-- for those of agents when it was due, number, id and tier of the agent, what happened to it, start and end of its cycle, and the priority of its own lots.
local ENTRY, ENTRY_LOT, ENTRY_HOLD_TEXT = '<HBHI7BI7i7I7I7I7HI7H', '<I4i7', '<ssssI4'
local ENTRY_SESSION_TEXT, ENTRY_DIFFERENCE_TEXT = 's', '<I7I7I7'
local ENTRY_SETTLE_TEXT, ENTRY_LOT_PRIORITY = 's', '<I4'
local ENTRY_DUE_TEXT, ENTRY_PLAN_GRANT_TEXT, ENTRY_PLAN_CHANGE_TEXT = '<I7', '<I7sBI4I7I7I7', '<I7sBI7I7'
local ENTRY_OPENING_LOT_TEXT = '<BI4I7'
local ENTRY_AGENT_TEXT = '<I7I4ssBI7I7I4'
-- Of a HOLD the account's state says the rest: op index, kind, account index, unit, amount; and where it is a session that was opened the short way, and so
-- follows from these and from its operation, its lot, seq and what is available (else 0): such an entry is the answer, too.
local ENTRY_HELD = '<HBHBI7I4I7I7'
-- The same of one that began the short way, the first four as one: op index + ENTRY_HOLD x 2^16 + account index x 2^24 + unit x 2^40.
local ENTRY_BEGUN = '<I6I7I4I7I7'
-- One pair is by far the most frequent: the same layout, packed at once.
local ENTRY_ONE_LOT = '<HBHI7BI7i7I7I7I7HI7HI4i7'
-- A SETTLE of an operation in short that one lot without debt paid, by far the most frequent; it ended its hold: op index, kind, account index, number within the account, unit, amount, remaining and
-- held after, flags, what the hold gave back, lot, for which agent.
-- The first three are one: op index + ENTRY_SETTLE_PAID x 2^16 + account index x 2^24.
local ENTRY_SETTLED = '<I5I7BI7I7I7HI7I4s'
-- Usage that one lot paid in full, by far the most frequent entry, is not written down one by one, but as what it can be counted from: op index, kind and
-- count of operations in a row whose numbers, amounts and balances follow from the batch (readers turn each into usage); and before them, for each
-- of their accounts, 0, kind, account index, number of its last line, unit, remaining and held of the wallet before the first of them, and the lot that pays.
local ENTRY_PAID_RUN, ENTRY_PAID_FROM_LAYOUT = '<HBH', '<HBHI7BI7I7I4'
local ENTRY_ACCOUNT_CREATED, ENTRY_GRANT, ENTRY_USAGE, ENTRY_SETTLE, ENTRY_RELEASE = 1, 2, 3, 4, 5
local ENTRY_HOLD_EXPIRED, ENTRY_LOT_EXPIRED, ENTRY_REVERSAL = 6, 7, 9
local ENTRY_RERATE, ENTRY_EXPIRE_LOT, ENTRY_ACCOUNT_STATUS = 10, 11, 12
local ENTRY_CONVERSION, ENTRY_CONVERSION_GRANT = 13, 14
local ENTRY_PLAN_GRANT, ENTRY_PLAN_CHANGE, ENTRY_OPENING_LOT = 15, 16, 17
local ENTRY_AGENT_UNLOCK, ENTRY_PAID, ENTRY_AGENT_RENEWAL, ENTRY_AGENT_GRANT, ENTRY_AGENT_STATUS, ENTRY_PAID_FROM = 18, 19, 20, 21, 22, 23
local ENTRY_SESSION_EXPIRED, ENTRY_SETTLE_PAID = 24, 25
-- Journaled and numbered, but no ledger lines: the kinds from ENTRY_HOLD on.
local ENTRY_HOLD, ENTRY_EXTEND, ENTRY_CHECKPOINT = 100, 101, 102
-- What a PLAN_CHANGE says of the plan.
local PLAN_CHANGED, PLAN_SCHEDULED, PLAN_PERIOD_STORED, PLAN_WITHDRAWN = 1, 2, 3, 4
-- What an entry says of an agent.
local AGENT_EVENT_UNLOCKED, AGENT_EVENT_ACTIVATED, AGENT_EVENT_RENEWED, AGENT_EVENT_UNPAID = 1, 2, 3, 4
local AGENT_EVENT_SUSPENDED, AGENT_EVENT_REMOVED = 5, 6

local FLAG_OVERDRAWN, FLAG_UNRATED, FLAG_LATE, FLAG_HOLD_UNKNOWN, FLAG_OVER_HOLD = 1, 2, 4, 8, 16
local FLAG_FROZEN, FLAG_CLOSED, FLAG_CONVERTED, FLAG_AGENT_SUSPENDED, FLAG_DIFFERENCE = 64, 128, 256, 512, 1024

-- Account: format, seq of the last change, time of the last change, entries, open holds; key, lots made, when its subscription is due (0: never), when it is
-- due at all, which is sooner where a lot expires before, status, count of wallets, WALLETS_NOTED more where some agent must be looked at (a special one, or
-- one that has credits of its own), WALLETS_SPECIAL more where it has special agents; the wallets. Unpacked: a table as A_ says, without the flags:
-- A_SPECIAL is 0 or WALLETS_SPECIAL, A_NOTED false or true.
-- Wallet: unit, debt, remaining and held of all its lots but the first, count of its lots, the lots.
local ACCOUNT, WALLET, LOT = '<BI7I7I7I4I7I4I7I7BB', '<BI7I7I7H', '<I4BI4I7I7I7'
local WALLETS_SPECIAL, WALLETS_NOTED = 128, 64
-- Behind a lot of source AGENT_CYCLE: the number of the agent whose own it is.
local LOT_OWNER = '<I4'
local ACCOUNT_ONE_LOT = '<BI7I7I7I4I7I4I7I7BBBI7I7I7HI4BI4I7I7I7'
-- What the short ways need of an account, which they read and write without its tables: a payer, who pays from the first lot of one wallet. Of the head all
-- from entries on; then, for each wallet until it is the right one, the wallet with its first lot; other bytes of a wallet's lots are skipped.
local PAYER_HEAD, PAYER_HEAD_PLACE, PAYER_WALLET, PAYER_WALLETS_PLACE = '<I7I4I7I4I7I7BB', 16, '<BI7I7I7HI4BI4I7I7I7', 54
local ONE_LOT_BYTES, WALLET_BYTES, LOT_BYTES, PAYER_WALLET_BYTES = 107, 24, 30, 54
-- Written: format, seq, time, entries, open holds, what does not change up to the lot's remaining, remaining, held, what follows.
local PAYER, PAYER_KEPT_PLACE, LOT_AMOUNTS_PLACE, LOT_AMOUNTS_BYTES = '<BI7I7I7I4c0I7I7c0', 27, 40, 14
-- Unpacked: a table of these; Y_UNIT is 0 until it is known in which unit it pays, Y_PACKED the state as it was read, Y_PLACE where its wallet stands there,
-- Y_SEQ of the last change, 0 where there was none.
local Y_ENTRIES, Y_HOLDS, Y_KEY, Y_UNIT, Y_LOT, Y_REMAINING, Y_HELD, Y_REST_REMAINING, Y_REST_HELD, Y_PACKED, Y_PLACE, Y_SEQ = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
local A_FORMAT, A_SEQ, A_CHANGED_AT, A_ENTRIES, A_HOLDS = 1, 2, 3, 4, 5
local A_KEY, A_LOTS, A_PLAN_DUE, A_DUE, A_STATUS, A_WALLETS = 6, 7, 8, 9, 10, 11
local A_SPECIAL, A_NOTED = 12, 13
local STATUS_ACTIVE, STATUS_FROZEN, STATUS_CLOSED = 1, 2, 3
-- Unpacked: unit, debt, lots in burn-down order, the sums of its lots' remaining and held, and what of them is agents' own and available.
local W_UNIT, W_DEBT, W_LOTS, W_REMAINING, W_HELD, W_OWN = 1, 2, 3, 4, 5, 6
-- Lot: number, source, priority, expiry (0: never), remaining, held; and, where it is an agent's own, the agent's number.
local L_ID, L_SOURCE, L_PRIORITY, L_EXPIRES, L_REMAINING, L_HELD, L_OWNER = 1, 2, 3, 4, 5, 6, 7
local SOURCE_FREE, SOURCE_PLAN, SOURCE_CONVERSION, SOURCE_AGENT_CYCLE, SOURCE_CORRECTION, PRIORITY_TOP_UP = 1, 2, 4, 5, 6, 20
local UNIT_CREDITS, UNIT_TTS_CHARACTERS, UNIT_LLM_MESSAGES = 1, 2, 3
-- A wallet holds at most this many lots of the account, what a draw walks through and what an account weighs: calls that would make more are refused. What
-- happens by itself is not, and gets no further than docs/accounting.md says, because characters are not set aside in a wallet of LOTS_HOLDING_MAX. Agents' own
-- lots are one an agent, and what is left of cycles that ended early: calls begin no cycle where there are OWN_LOTS_MAX.
local LOTS_MAX, LOTS_HOLDING_MAX, OWN_LOTS_MAX = 1000, 2000, 2000

-- Hold: format, unit, amount, deadline, generation of a session (0: an ordinary hold), count of parts, whether it has terms (0 or 1), seq of the reserve,
-- account key, what the last checkpoint of a session charges; what its call said: catalog version, payload hash, start time, agent, meter, model, and what
-- the ledger is told of a session (JSON of the quantities, unread here). Then of an ordinary hold held, available and deadline as first answered; the terms
-- on which a hold of credits is converted for characters (units of a block, its micro-credits, priority of the lot), where it has them; the parts
-- as (lot, amount) pairs.
-- Unpacked: a table of these; H_PARTS a flat list, H_TERMS false or a table as T_ says.
local HOLD, HOLD_FIRST, HOLD_TERMS, HOLD_PART = '<BBI7I7I4HBI7I7I7I4I6I7ssss', '<I7I7I7', '<I7I7I4', '<I4I7'
-- A session of one part without terms, packed at once, with what its call said in one piece. What its settle looks at: from unit to terms, from catalog
-- version to agent, and from the end the lot. Packed with its first two in one (format + unit x 256), and generation 1, one part and no terms as well.
local HOLD_SESSION, HOLD_SESSION_FIRST, HOLD_HEAD, HOLD_HEAD_PLACE, HOLD_SAID, HOLD_SAID_PLACE = '<HI7I7I7I7I7I7c0I4I7', 4294967297, '<BI7I7I4HB', 2, '<I4I6I7s', 45
local HOLD_LOT, HOLD_LOT_FROM_END = '<I4', 10
-- Where the deadline of a packed hold stands.
local HOLD_DEADLINE, HOLD_DEADLINE_PLACE = '<I7', 10
local H_FORMAT, H_UNIT, H_AMOUNT, H_DEADLINE, H_VERSION, H_GENERATION, H_PARTS, H_TERMS = 1, 2, 3, 4, 5, 6, 7, 8
local H_HASH, H_SEQ, H_FIRST_HELD, H_FIRST_AVAILABLE, H_FIRST_DEADLINE = 9, 10, 11, 12, 13
local H_START, H_KEY, H_CHARGE, H_AGENT, H_METER, H_MODEL, H_DETAILS = 14, 15, 16, 17, 18, 19, 20
-- The states of holds in the journal, but of those that are as entries say: fields and holds in turn, ended each by this; and the fields of those that
-- ended.
local HOLD_STATE_END = '\0'
-- Members of deadlines: the field of a hold; 'a' and an account's id; or this and the fields of holds that were begun together the short way, with a zero
-- byte between any two. A deadline says when to look, and a hold whether it ends: sessions that end the short way leave theirs to the sweeper.
local DEADLINE_OF_MANY = 'm'

-- Of what is left beyond the least that a session needs, it sets one part in so many aside at once, and where more holds of the account are open, one in
-- as many as those; with its opening one in so many times as many as are open.
local SESSION_SHARE, SESSION_FIRST_SHARE = 8, 64

-- Subscription of an account, a msgpack array in the hash of agents: format, plan (empty: none), its rank, how many agents it allows (-1: any
-- number), the last period that began (or false), whether free credits were granted, here or where it was imported from (0 or 1), the stored next period (or false), the change
-- that takes effect at the period's end (or false), how many agents were ever unlocked, the agents in the order of their numbers.
local S_FORMAT, S_PLAN, S_RANK, S_AGENTS_MAX, S_PERIOD, S_FREE, S_NEXT, S_CHANGE = 1, 2, 3, 4, 5, 6, 7, 8
local S_AGENTS_MADE, S_AGENTS = 9, 10
-- Billing period: start, end, plan, its rank, how many agents it allows, credits, their priority, whether they stay beyond the end (0 or 1); and, once it
-- has begun, its lot, what was granted, and the part of it that paid debt.
local B_START, B_END, B_PLAN, B_RANK, B_AGENTS_MAX, B_CREDITS, B_PRIORITY, B_KEEPS = 1, 2, 3, 4, 5, 6, 7, 8
local B_LOT, B_GRANTED, B_PAID = 9, 10, 11
-- Change: plan, its rank, how many agents it allows, credits if it is the free plan (-1: it is not), their priority.
local C_PLAN, C_RANK, C_AGENTS_MAX, C_FREE_CREDITS, C_PRIORITY = 1, 2, 3, 4, 5

-- Agent: number, id, state, tier, whether its cycle counts days or months, how many of them, what a renewal costs, its own credits per cycle, the
-- priority of their lots, whether it draws on the account beyond them (0 or 1), grace in ms; when its first cycle began, how many cycles there
-- were since, start and end of the last one, and when it is due: the end of its cycle; that of its grace while its renewal is unpaid; 0: never.
local G_NUMBER, G_ID, G_STATE, G_TIER, G_CALENDAR, G_COUNT, G_RENEWAL, G_OWN = 1, 2, 3, 4, 5, 6, 7, 8
local G_PRIORITY, G_DRAWS, G_GRACE, G_ANCHOR, G_CYCLES, G_START, G_END, G_DUE = 9, 10, 11, 12, 13, 14, 15, 16
local AGENT_ACTIVE, AGENT_SUSPENDED, AGENT_REMOVED = 1, 2, 3
local CYCLE_DAYS, CYCLE_MONTHS, DAY_MS = 1, 2, 86400000
-- Agents of an account that are not removed, whatever its plan allows: 100 KB of subscription, which is written with each of their renewals.
-- Removed ones that are remembered.
local AGENTS_MAX, AGENTS_REMOVED_MAX = 1000, 100
-- What a call does at most of what has become due: entries, and with each instant a share of the looks at the account's agents and lots, which cost a
-- twentieth of an entry. 2,000 entries take 10 ms. What is left is done by the next call.
local DUE_WORK_MAX, LOOKS_PER_ENTRY = 2000, 20
-- How many holds and accounts a call looks at among a partition's deadlines that have passed, to find holds of accounts of which something is due: at 1 us
-- each half of what the work above may take. Above the 2,000 that a sweep looks at (and 2,000 more of sessions that began together), so that what it finds is
-- always among them.
local DEADLINES_LOOKED_MAX, DEADLINES_PER_PAGE = 5000, 100
