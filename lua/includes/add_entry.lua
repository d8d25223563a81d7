-- @include "outcomes"

-- Appends an entry and numbers it. `changes` holds (lot, change of remaining) pairs; `text` is what follows them, `released` what a hold
-- gave back.
-- Kinds from ENTRY_HOLD on are journaled but are no ledger lines. Returns what is available in the wallet now, to the agent for whom the operation is.
local function add_entry(op_index, kind, account_index, wallet, amount, debt, flags, changes, released, text)
  local account = ctx.states[account_index]
  if kind == ENTRY_LOT_EXPIRED then
    text = struct.pack(ENTRY_DUE_TEXT, ctx.at)
  elseif kind == ENTRY_SETTLE then
    text = struct.pack(ENTRY_SETTLE_TEXT, ctx.settled_for) .. (text or '')
  end
  ctx.seq = ctx.seq + 1
  account[A_SEQ] = ctx.seq
  account[A_CHANGED_AT] = ctx.now
  local number = 0
  if kind < ENTRY_HOLD then
    number = account[A_ENTRIES] + 1
    account[A_ENTRIES] = number
  end
  local unit, debt_after, remaining, held = 0, 0, 0, 0
  if wallet then unit, debt_after, remaining, held = wallet[W_UNIT], wallet[W_DEBT], wallet[W_REMAINING], wallet[W_HELD] end
  local count = #changes
  local entry
  if kind == ENTRY_HOLD then
    entry = struct.pack(ENTRY_HELD, op_index, kind, account_index, unit, amount, 0, 0, 0)
  elseif count == 2 then
    entry = struct.pack(ENTRY_ONE_LOT, op_index, kind, account_index, number, unit, amount, debt, remaining, held, debt_after, flags,
      released or 0, 1, changes[1], changes[2])
  else
    entry = struct.pack(ENTRY, op_index, kind, account_index, number, unit, amount, debt, remaining, held, debt_after, flags,
      released or 0, count / 2)
    for i = 1, count, 2 do entry = entry .. struct.pack(ENTRY_LOT, changes[i], changes[i + 1]) end
  end
  if text then entry = entry .. text end
  ctx.entries[#ctx.entries + 1] = entry
  ctx.changed[account_index] = true
  ctx.paid_lots[account_index] = nil
  return available(wallet, ctx.agent)
end
