-- @include "end_hold"
-- @include "conversion"

-- What a hold has of the account; the rest is an agent's own.
local function account_parts(account, wallet, hold)
  if not account[A_NOTED] then return hold[H_AMOUNT] end
  local sum, parts = 0, hold[H_PARTS]
  for i = 1, #parts, 2 do
    if not find_lot(wallet, parts[i])[L_OWNER] then sum = sum + parts[i + 1] end
  end
  return sum
end

-- A hold of credits for characters: the blocks that the allowance lacks are converted from what the hold has of the account, beyond it from
-- what is available; the rest of the hold goes back. The charge is in characters, of which `spendable` are there for it. `kind` is that of its entry.
local function settle_credits_hold(op_index, op, hold, amount, spendable, wanted, terms, kind)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local credits, changes = ensure_wallet(account, UNIT_CREDITS), {}
  local flags = FLAG_CONVERTED
  local of_account = account_parts(account, credits, hold)
  if wanted * terms[T_MICROS] > of_account then flags = flags + FLAG_OVER_HOLD end
  local blocks, cost = blocks_payable(wanted, of_account + convertible(account), terms)
  local beyond, returned = take_parts(credits, hold, cost, changes, true)
  if beyond > 0 then draw(credits, beyond, changes) end
  account[A_HOLDS] = account[A_HOLDS] - 1
  local released = hold[H_AMOUNT] - math.min(cost, of_account)
  book_converted(op_index, account_index, credits, cost, changes, released)
  if blocks > 0 then spendable = spendable + grant_blocks(op_index, account_index, blocks, terms) end
  local have, missing
  local text = kind == ENTRY_SESSION_EXPIRED and ended_hold_text(op[P_ID], hold, kind) or nil
  have, missing, flags = charge_characters(op_index, account_index, kind, amount, spendable, flags, text)
  expire_returned(account_index, credits, returned)

  local field = hold_field(op[P_ACCOUNT], op[P_ID])
  hold_put(field, false)
  local state = kind == ENTRY_SETTLE and STATE_SETTLED or STATE_EXPIRED
  return store_converted(field, cost, op[P_HASH], ctx.seq, state, UNIT_TTS_CHARACTERS, amount, missing, have, flags, released,
    op[7])
end

-- Ends a hold of credits or of characters with `amount` of characters, on the terms of the call. Returns the packed outcome, or
-- nil where a balance would exceed AMOUNT_MAX (then nothing is changed).
local function settle_converting(op_index, op, hold, amount, terms)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local wallet = find_wallet(account, UNIT_TTS_CHARACTERS)
  local in_credits = hold[H_UNIT] == UNIT_CREDITS
  local beyond = in_credits and amount or math.max(0, amount - hold[H_AMOUNT])
  local spendable = available(wallet, ctx.agent)
  local blocks = blocks_lacking(wallet, spendable, beyond, terms)
  if not blocks then return nil end
  if in_credits then return settle_credits_hold(op_index, op, hold, amount, spendable, blocks, terms, ENTRY_SETTLE) end

  local cost
  blocks, cost = blocks_payable(blocks, convertible(account), terms)
  if blocks == 0 then return end_hold(op_index, account_index, op[P_ID], hold, amount, ENTRY_SETTLE, op[P_HASH], 0, op[7]) end
  convert_blocks(op_index, account_index, blocks, cost, terms)
  return end_hold(op_index, account_index, op[P_ID], hold, amount, ENTRY_SETTLE, op[P_HASH], FLAG_CONVERTED, op[7], cost)
end
