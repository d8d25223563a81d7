-- @include "add_entry"
-- @include "account_status"

-- Conversions are the account's: they take nothing of what an agent has of its own, and for an agent that does not draw on the account nothing is
-- converted, but what a hold of it has of the account.
local function converts() return not ctx.agent or ctx.agent[G_DRAWS] == 1 end

-- The credits that may be converted beyond what a hold has.
local function convertible(account) return converts() and available(find_wallet(account, UNIT_CREDITS)) or 0 end

-- Books that `amount` of credits left their wallet for an allowance, never more than there was. The lots have given theirs already
-- (`changes`); `released` is what a hold of credits gave back.
local function book_converted(op_index, account_index, wallet, amount, changes, released)
  add_entry(op_index, ENTRY_CONVERSION, account_index, wallet, amount, 0, 0, changes, released)
end

-- What the credits bought: debt of the allowance first, then a lot that never expires. Returns its number, the debt that was paid and
-- what is available.
local function grant_converted(op_index, account_index, unit, units, priority)
  local account = ctx.states[account_index]
  local wallet = ensure_wallet(account, unit)
  local paid = math.min(wallet[W_DEBT], units)
  wallet[W_DEBT] = wallet[W_DEBT] - paid
  local number = account[A_LOTS] + 1
  account[A_LOTS] = number
  if units > paid then insert_lot(wallet, { number, SOURCE_CONVERSION, priority, 0, units - paid, 0 }) end
  local have = add_entry(op_index, ENTRY_CONVERSION_GRANT, account_index, wallet, units, -paid, 0, { number, units - paid }, 0,
    struct.pack(ENTRY_LOT_PRIORITY, priority))
  return number, paid, have
end

-- What a hold may grow by, and for whom its lots are set aside: what is converted is the account's.
local function growable(account, wallet, hold)
  if hold[H_TERMS] then return convertible(account), nil end
  return available(wallet, ctx.agent), ctx.agent
end

-- Stores an outcome that says how many credits were converted.
local function store_converted(field, converted, hash, seq, state, unit, amount, overdrawn, have, flags, extra, version)
  local outcome = struct.pack(OUTCOME, hash, seq, state, unit, amount, overdrawn, have, flags, extra, version)
  return store_packed(field, outcome .. struct.pack(OUTCOME_CONVERTED, converted))
end

-- The terms on which characters are converted, among (unit, amount) pairs from position `first`: units of a block, its micro-credits,
-- priority of the lot. nil where there are none.
local function conversion_terms(op, first)
  for i = first, #op, 2 do
    if op[i] < 0 then
      local priority = op[i + 1] % CONVERSION_PRIORITIES
      return { -op[i], (op[i + 1] - priority) / CONVERSION_PRIORITIES * MICROS_PER_CREDIT, priority }
    end
  end
end

-- The whole blocks that an allowance with `have` available lacks to pay `amount`, its debt included, and what they cost in micro-credits.
-- nil where a balance would exceed AMOUNT_MAX. The quotient is exact enough: src/catalog/pricing.ts says why.
local function blocks_lacking(wallet, have, amount, terms)
  if have >= amount then return 0, 0 end
  local debt = wallet and wallet[W_DEBT] or 0
  local lacking = amount - have
  if lacking > AMOUNT_MAX - debt then return nil end
  local blocks = math.ceil((lacking + debt) / terms[T_UNITS])
  local cost = blocks * terms[T_MICROS]
  local remaining = wallet and wallet[W_REMAINING] or 0
  if cost > AMOUNT_MAX or blocks * terms[T_UNITS] > AMOUNT_MAX - remaining then return nil end
  return blocks, cost
end

-- As many of `blocks` as `micros` pay for, and their cost.
local function blocks_payable(blocks, micros, terms)
  local payable = math.min(blocks, math.floor(micros / terms[T_MICROS]))
  return payable, payable * terms[T_MICROS]
end

-- What blocks of characters bring into the allowance beyond its debt.
local function grant_blocks(op_index, account_index, blocks, terms)
  local brought = blocks * terms[T_UNITS]
  local _, paid = grant_converted(op_index, account_index, UNIT_TTS_CHARACTERS, brought, terms[T_PRIORITY])
  return brought - paid
end

-- Converts `blocks` for `cost` from what is available. Returns what came into the allowance beyond its debt.
local function convert_blocks(op_index, account_index, blocks, cost, terms)
  local wallet, changes = ensure_wallet(ctx.states[account_index], UNIT_CREDITS), {}
  draw(wallet, cost, changes)
  book_converted(op_index, account_index, wallet, cost, changes)
  return grant_blocks(op_index, account_index, blocks, terms)
end

-- Charges `amount` of characters that no hold of them set aside: from the account's, as far as they are `spendable`; the rest is debt.
-- Returns what is available then, the debt and the flags.
local function charge_characters(op_index, account_index, kind, amount, spendable, flags, text)
  local account, changes = ctx.states[account_index], {}
  local wallet = ensure_wallet(account, UNIT_TTS_CHARACTERS)
  local missing = math.max(0, amount - spendable)
  if amount > missing then draw(wallet, amount - missing, changes) end
  if missing > 0 then
    wallet[W_DEBT] = wallet[W_DEBT] + missing
    flags = flags + FLAG_OVERDRAWN
  end
  flags = flags + status_flags(account)
  return add_entry(op_index, kind, account_index, wallet, amount, missing, flags, changes, 0, text), missing, flags
end

-- What was charged for a session before: by its deadline. Charged, overdrawn, converted; nil where nothing was.
local function charged_before(stored)
  local _, _, _, _, charged, overdrawn, _, flags, _, _, place = struct.unpack(OUTCOME, stored)
  if charged == 0 then return nil end
  local was_converted = math.floor(flags / FLAG_CONVERTED) % 2 == 1
  return { charged, overdrawn, was_converted and struct.unpack(OUTCOME_CONVERTED, stored, place) or 0 }
end

local function difference_text(before)
  return before and struct.pack(ENTRY_DIFFERENCE_TEXT, before[1], before[2], before[3]) or nil
end

-- Stores the outcome of a charge, with what was charged `before` for the same session.
local function store_charge(op, field, state, unit, amount, missing, have, flags, version, converted, before)
  if before then
    amount, missing = amount + before[1], missing + before[2]
    if before[3] > 0 and converted == 0 then flags = flags + FLAG_CONVERTED end
    converted = converted + before[3]
  end
  if converted == 0 then return store_outcome(field, op[P_HASH], ctx.seq, state, unit, amount, missing, have, flags, 0, version) end
  return store_converted(field, converted, op[P_HASH], ctx.seq, state, unit, amount, missing, have, flags, 0, version)
end

-- Books `amount` of characters without a hold: what is available, then whole blocks as far as credits pay for them, then debt of
-- characters. Returns the packed outcome, or nil where a balance would exceed AMOUNT_MAX (then nothing is changed).
local function book_converting(op_index, op, kind, amount, flags, terms, state, id_name, version, before)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local wallet = find_wallet(account, UNIT_TTS_CHARACTERS)
  local spendable = available(wallet, ctx.agent)
  local blocks, cost = blocks_lacking(wallet, spendable, amount, terms)
  if not blocks then return nil end
  blocks, cost = blocks_payable(blocks, convertible(account), terms)
  if blocks > 0 then
    spendable = spendable + convert_blocks(op_index, account_index, blocks, cost, terms)
    flags = flags + FLAG_CONVERTED
  end
  local have, missing
  have, missing, flags = charge_characters(op_index, account_index, kind, amount, spendable, flags, difference_text(before))
  if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
  return store_charge(op, id_name, state, UNIT_TTS_CHARACTERS, amount, missing, have, flags, version, cost, before)
end
