-- @include "batch_context"

-- The account's subscription, read when it is first asked for; one without a plan where it never had any.
local function subscription_of(account_index)
  local subscription = ctx.subscriptions[account_index]
  if subscription == nil then
    local packed = redis.call('HGET', KEYS[3], ctx.prefixes[account_index])
    subscription = packed and cmsgpack.unpack(packed) or { FORMAT, '', 0, -1, false, 0, false, false }
    ctx.subscriptions[account_index] = subscription
  end
  return subscription
end

-- Marks a subscription as changed, and tells the account when it is due next.
local function subscription_changed(account_index)
  ctx.subscription_changed[account_index] = true
  local account, subscription = ctx.states[account_index], ctx.subscriptions[account_index]
  local due = subscription[S_NEXT] and subscription[S_NEXT][B_START] or 0
  if subscription[S_CHANGE] then
    local ends = subscription[S_PERIOD][B_END]
    if due == 0 or ends < due then due = ends end
  end
  account[A_PLAN_DUE] = due
  account[A_DUE] = soonest_due(account)
end
