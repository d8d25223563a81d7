-- @include "plans"
-- @include "agents"

-- Expires what is available of every lot whose time came by `through`, in the order of the lots' times; one entry a lot. Held parts stay
-- until their holds end.
local function expire_lots(account_index, through)
  local account = ctx.states[account_index]
  local due = {}
  for _, wallet in ipairs(account[A_WALLETS]) do
    for _, lot in ipairs(wallet[W_LOTS]) do
      local expires = lot[L_EXPIRES]
      if expires > 0 and expires <= through and lot[L_REMAINING] > lot[L_HELD] then due[#due + 1] = { expires, #due, wallet, lot } end
    end
  end
  table.sort(due, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for i = 1, #due do
    local wallet, lot = due[i][3], due[i][4]
    local free = lot[L_REMAINING] - lot[L_HELD]
    add_remaining(wallet, lot, -free)
    ctx.at = due[i][1]
    add_entry(0, ENTRY_LOT_EXPIRED, account_index, wallet, free, 0, 0, { lot[L_ID], -free })
  end
  for _, wallet in ipairs(account[A_WALLETS]) do drop_empty_lots(wallet) end
end

local function count_lots(account)
  local count = 0
  for _, wallet in ipairs(account[A_WALLETS]) do count = count + #wallet[W_LOTS] end
  return count
end

-- Does what is due of an account at one instant: what is granted (which pays debt) comes before what expires, and that before renewals.
local function advance_instant(account_index, at)
  expire_lots(account_index, at - 1)
  ctx.at = at
  local granted = advance_plan(account_index)
  expire_lots(account_index, at)
  renew_agents(account_index, granted)
end

-- Does what has become due of an account, once for each account and batch: one instant after the other in the order of their times, so that it does not
-- matter how late anybody looks. Returns nil; or CODE_BEHIND where more is due than one call does: nothing may be judged before the rest is done; or
-- CODE_BROKEN where the account says that something is due, and its subscription knows of nothing: it would be due for ever.
local function advance(account_index)
  local account = ctx.states[account_index]
  if not account or account[A_DUE] == 0 or account[A_DUE] > ctx.now then
    ctx.touched[account_index] = true
    return nil
  end
  local broken = false
  while not broken and account[A_PLAN_DUE] > 0 and account[A_PLAN_DUE] <= ctx.now and ctx.due_work > 0 do
    local entries, at = #ctx.entries, account[A_PLAN_DUE]
    advance_instant(account_index, at)
    broken = account[A_PLAN_DUE] == at
    local looks = #subscription_of(account_index)[S_AGENTS] + count_lots(account)
    ctx.due_work = ctx.due_work - (#ctx.entries - entries) - 1 - looks / LOOKS_PER_ENTRY
  end
  local caught_up = account[A_PLAN_DUE] == 0 or account[A_PLAN_DUE] > ctx.now
  if caught_up then
    expire_lots(account_index, ctx.now)
    ctx.touched[account_index] = true
  end
  ctx.at = ctx.now
  account[A_DUE] = soonest_due(account)
  return broken and CODE_BROKEN or not caught_up and CODE_BEHIND or nil
end
