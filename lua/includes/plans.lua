-- @include "add_entry"
-- @include "subscriptions"
-- @include "corrections"

-- A lot of credits that a plan brings; debt is paid first. `period` is nil for free credits. `carried` are the lots that take the new one's expiry.
-- Returns the lot's number, what was granted, the part that paid debt, and what is available. Never more than the wallet can hold: what is due cannot
-- be refused, and calls are refused before.
local function grant_credits(op_index, account_index, plan, source, credits, priority, expires, period, carried)
  local account = ctx.states[account_index]
  local wallet = ensure_wallet(account, UNIT_CREDITS)
  local amount = math.min(credits, AMOUNT_MAX - wallet[W_REMAINING])
  local paid = math.min(wallet[W_DEBT], amount)
  wallet[W_DEBT] = wallet[W_DEBT] - paid
  local number = account[A_LOTS] + 1
  account[A_LOTS] = number
  if amount > paid then insert_lot(wallet, { number, source, priority, expires, amount - paid, 0 }) end
  local changes = { number, amount - paid }
  for i = 1, #carried do changes[#changes + 1], changes[#changes + 2] = carried[i], 0 end
  local text = struct.pack(ENTRY_PLAN_GRANT_TEXT, ctx.at, plan, source, priority, expires, period and period[B_START] or 0,
    period and period[B_END] or 0)
  local have = add_entry(op_index, ENTRY_PLAN_GRANT, account_index, wallet, amount, -paid, 0, changes, 0, text)
  account[A_DUE] = soonest_due(account)
  return number, amount, paid, have
end

local function add_plan_change(op_index, account_index, plan, what, from, to)
  add_entry(op_index, ENTRY_PLAN_CHANGE, account_index, nil, 0, 0, 0, {}, 0,
    struct.pack(ENTRY_PLAN_CHANGE_TEXT, ctx.at, plan, what, from, to))
end

-- Puts the account on a plan, without a period, or with one that runs already where it is imported. The first time that it is the free plan its credits are granted, once in the life of an account.
-- Returns what was granted, the part that paid debt, the lot, and what is available; all 0 where nothing was granted.
local function take_plan(op_index, account_index, change, starts, ends)
  local subscription = subscription_of(account_index)
  subscription[S_PLAN], subscription[S_RANK], subscription[S_AGENTS_MAX] = change[C_PLAN], change[C_RANK], change[C_AGENTS_MAX]
  subscription[S_CHANGE] = false
  add_plan_change(op_index, account_index, change[C_PLAN], PLAN_CHANGED, starts or 0, ends or 0)
  local lot, granted, paid, have = 0, 0, 0, 0
  if change[C_FREE_CREDITS] >= 0 and subscription[S_FREE] == 0 then
    subscription[S_FREE] = 1
    lot, granted, paid, have = grant_credits(op_index, account_index, change[C_PLAN], SOURCE_FREE, change[C_FREE_CREDITS], change[C_PRIORITY], 0, nil, {})
  end
  subscription_changed(account_index)
  return granted, paid, lot, have
end

-- Begins a period: the account is on its plan, its credits are granted. `carried` are lots that take the new lot's expiry.
local function begin_period(op_index, account_index, period, carried)
  local subscription = subscription_of(account_index)
  subscription[S_PLAN], subscription[S_RANK], subscription[S_AGENTS_MAX] = period[B_PLAN], period[B_RANK], period[B_AGENTS_MAX]
  subscription[S_PERIOD] = period
  local expires = period[B_KEEPS] == 1 and 0 or period[B_END]
  local have
  period[B_LOT], period[B_GRANTED], period[B_PAID], have = grant_credits(op_index, account_index, period[B_PLAN], SOURCE_PLAN, period[B_CREDITS],
    period[B_PRIORITY], expires, period, carried)
  subscription_changed(account_index)
  return have
end

-- What is due of a plan at ctx.at: the scheduled change first, so that a period that begins at the same instant has the last word. Returns whether
-- something was granted.
local function advance_plan(account_index)
  local subscription = subscription_of(account_index)
  local change, next_period = subscription[S_CHANGE], subscription[S_NEXT]
  local granted = false
  if change and subscription[S_PERIOD][B_END] <= ctx.at then granted = select(3, take_plan(0, account_index, change)) > 0 end
  if next_period and next_period[B_START] <= ctx.at then
    subscription[S_NEXT] = false
    begin_period(0, account_index, next_period, {})
    granted = true
  end
  return granted
end

-- Why a period of so many credits cannot begin now; nil where it can.
local function grant_refusal(account, credits)
  local wallet = find_wallet(account, UNIT_CREDITS)
  if not wallet then return nil end
  if wallet[W_REMAINING] > AMOUNT_MAX - credits then return REASON_AMOUNT_OUT_OF_RANGE end
  if account_lots(wallet) >= LOTS_MAX then return REASON_LOTS_MAX end
end

-- Is there a period that runs now?
local function period_runs(subscription)
  local period = subscription[S_PERIOD]
  return period and period[B_END] > ctx.now
end
