-- @include "account_status"
-- @include "conversion"

-- Takes `charge` from the parts of a hold, or only from those that are the account's, and gives the rest of them back to the lots; appends
-- what the lots lost to `changes`. Returns what of the charge is left, and what came back to lots whose time is reached.
local function take_parts(wallet, hold, charge, changes, account_only)
  local left, returned = charge, {}
  local parts = hold[H_PARTS]
  for i = 1, #parts, 2 do
    local lot, part = find_lot(wallet, parts[i]), parts[i + 1]
    local taken = part < left and part or left
    if account_only and lot[L_OWNER] then taken = 0 end
    add_held(wallet, lot, -part)
    add_remaining(wallet, lot, -taken)
    left = left - taken
    if taken > 0 then
      append_pair(changes, lot[L_ID], -taken)
    end
    if part > taken and lot[L_EXPIRES] > 0 and lot[L_EXPIRES] <= ctx.at then
      if not returned[lot] then returned[#returned + 1] = lot end
      returned[lot] = (returned[lot] or 0) + part - taken
    end
  end
  return left, returned
end

-- Expires what came back to lots whose time is reached.
local function expire_returned(account_index, wallet, returned)
  for _, lot in ipairs(returned) do
    add_remaining(wallet, lot, -returned[lot])
    add_entry(0, ENTRY_LOT_EXPIRED, account_index, wallet, returned[lot], 0, 0, { lot[L_ID], -returned[lot] })
  end
  drop_empty_lots(wallet)
  local account = ctx.states[account_index]
  account[A_DUE] = soonest_due(account)
end

-- What an entry says of the hold that it ends, where no call does.
local function ended_hold_text(hold_id, hold, kind)
  local text = struct.pack(ENTRY_HOLD_TEXT, hold_id, hold[H_AGENT], hold[H_METER], hold[H_MODEL], hold[H_VERSION])
  if kind == ENTRY_SESSION_EXPIRED then text = text .. struct.pack(ENTRY_SESSION_TEXT, hold[H_DETAILS]) end
  return text .. struct.pack(ENTRY_DUE_TEXT, ctx.at)
end

-- Ends an open hold: charges `charge` units of its wallet (0 for release and for a hold that expires), gives the rest back to the lots,
-- expires what came back to a lot whose time is reached, stores the outcome under the hold's id, with the catalog version that
-- priced the charge (by default the hold's, for a settle that may still come) and the credits that were converted for it, if any.
-- Returns the packed outcome.
local function end_hold(op_index, account_index, hold_id, hold, charge, kind, hash, flags, version, converted)
  local account = ctx.states[account_index]
  local wallet = ensure_wallet(account, hold[H_UNIT])
  local changes = {}
  local left, returned = take_parts(wallet, hold, charge, changes)
  if left > 0 then
    flags = flags + FLAG_OVER_HOLD
    left = draw(wallet, left, changes, ctx.agent)
    if left > 0 then
      flags = flags + FLAG_OVERDRAWN
      wallet[W_DEBT] = wallet[W_DEBT] + left
    end
  end
  if kind == ENTRY_SETTLE or kind == ENTRY_SESSION_EXPIRED then flags = flags + status_flags(account) end
  account[A_HOLDS] = account[A_HOLDS] - 1
  local released = math.max(0, hold[H_AMOUNT] - charge)
  local text = kind ~= ENTRY_SETTLE and ended_hold_text(hold_id, hold, kind) or nil
  add_entry(op_index, kind, account_index, wallet, charge, left, flags, changes, released, text)
  expire_returned(account_index, wallet, returned)

  local field = hold_field(account_index, hold_id)
  hold_put(field, false)
  local state = kind == ENTRY_SETTLE and STATE_SETTLED or kind == ENTRY_RELEASE and STATE_RELEASED or STATE_EXPIRED
  local have, version_of_charge = available(wallet, ctx.agent), version or hold[H_VERSION]
  if converted then
    return store_converted(field, converted, hash, ctx.seq, state, hold[H_UNIT], charge, left, have, flags, released,
      version_of_charge)
  end
  return store_outcome(field, hash, ctx.seq, state, hold[H_UNIT], charge, left, have, flags, released, version_of_charge)
end
