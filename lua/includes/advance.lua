-- @include "plans"

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

-- Does what has become due of an account, once for each account and batch: one instant after the other in the order of their times, so that it does not
-- matter how late anybody looks; at one instant what is granted (which pays debt) comes before what expires.
local function advance(account_index)
  ctx.touched[account_index] = true
  local account = ctx.states[account_index]
  if not account or account[A_DUE] == 0 or account[A_DUE] > ctx.now then return end
  -- Twice at most: a subscription has one change and one period to come.
  while account[A_PLAN_DUE] > 0 and account[A_PLAN_DUE] <= ctx.now do
    local at = account[A_PLAN_DUE]
    expire_lots(account_index, at - 1)
    ctx.at = at
    advance_plan(account_index)
    expire_lots(account_index, at)
  end
  expire_lots(account_index, ctx.now)
  ctx.at = ctx.now
  account[A_DUE] = soonest_due(account)
end
