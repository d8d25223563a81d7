-- @include "plans"
-- @include "agents"
-- @include "expire_session"
-- @include "overdue_holds"

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

-- Does what is due of an account at one instant: what is granted (which pays debt) comes before what expires, then holds end, and what they give back is
-- there for renewals. `holds` are those whose deadline has passed, from place `next_hold` on; returns the place of the first that ends later.
local function advance_instant(account_index, at, holds, next_hold)
  local planned, granted = ctx.states[account_index][A_PLAN_DUE] == at, false
  expire_lots(account_index, at - 1)
  ctx.at = at
  if planned then granted = advance_plan(account_index) end
  expire_lots(account_index, at)
  while holds[next_hold] and holds[next_hold][2][H_DEADLINE] == at do
    end_due_hold(account_index, holds[next_hold][1], holds[next_hold][2])
    next_hold = next_hold + 1
  end
  if planned then renew_agents(account_index, granted) end
  return next_hold
end

-- Does what has become due of an account, once for each account and batch: one instant after the other in the order of their times, ends of its holds
-- among them, so that it does not matter how late anybody looks. Returns nil; or CODE_BEHIND where more is due than one call does: nothing may be judged
-- before the rest is done; or CODE_BROKEN where the account says that something is due, and its subscription knows of nothing: it would be due for ever.
local function advance_due(account_index)
  local account = ctx.states[account_index]
  local holds, through, next_hold, broken = {}, ctx.now, 1, false
  if account[A_HOLDS] > 0 then holds, through = overdue_holds(account_index) end
  local function next_instant()
    local plan_due, hold = account[A_PLAN_DUE], holds[next_hold]
    local at = plan_due > 0 and plan_due or AMOUNT_MAX
    return hold and math.min(at, hold[2][H_DEADLINE]) or at
  end
  local at = next_instant()
  while at <= through and not broken and ctx.due_work > 0 do
    local entries, planned = #ctx.entries, account[A_PLAN_DUE] == at
    next_hold = advance_instant(account_index, at, holds, next_hold)
    -- Something may be due once more at the same instant: an agent, whose grace ended with a grant, at the end of its next cycle.
    broken = planned and account[A_PLAN_DUE] == at and #ctx.entries == entries
    local looks = count_lots(account) + (planned and #subscription_of(account_index)[S_AGENTS] or 0)
    ctx.due_work = ctx.due_work - (#ctx.entries - entries) - 1 - looks / LOOKS_PER_ENTRY
    at = next_instant()
  end
  if at > through then expire_lots(account_index, through) end
  ctx.at = ctx.now
  account[A_DUE] = soonest_due(account)
  if broken then return CODE_BROKEN end
  if account[A_DUE] > 0 and account[A_DUE] <= ctx.now then return CODE_BEHIND end
  ctx.touched[account_index] = true
  return nil
end
