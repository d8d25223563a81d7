-- @include "outcomes"

-- The account's subscription, read when it is first asked for; one without a plan and agents where it never had any.
local function subscription_of(account_index)
  local subscription = ctx.subscriptions[account_index]
  if subscription == nil then
    local packed = redis.call('HGET', KEYS[3], prefix_of(account_index))
    subscription = packed and cmsgpack.unpack(packed) or { FORMAT, '', 0, -1, false, 0, false, false, 0, {} }
    ctx.subscriptions[account_index] = subscription
  end
  return subscription
end

-- Must work for an agent be looked at? It is not active, or it does not simply draw on the account.
local function is_special(agent) return agent[G_STATE] ~= AGENT_ACTIVE or agent[G_DRAWS] == 0 or agent[G_OWN] > 0 end

-- Marks a subscription as changed, and tells the account when it is due next and whether it has special agents.
local function subscription_changed(account_index)
  ctx.subscription_changed[account_index] = true
  ctx.agents_by_id[account_index] = nil
  local account, subscription = ctx.states[account_index], ctx.subscriptions[account_index]
  local due = subscription[S_NEXT] and subscription[S_NEXT][B_START] or 0
  if subscription[S_CHANGE] then
    local ends = subscription[S_PERIOD][B_END]
    if due == 0 or ends < due then due = ends end
  end
  local special, agents = 0, subscription[S_AGENTS]
  for i = 1, #agents do
    local agent = agents[i]
    local agent_due = agent[G_DUE]
    if agent_due > 0 and (due == 0 or agent_due < due) then due = agent_due end
    if is_special(agent) then special = WALLETS_SPECIAL end
  end
  account[A_PLAN_DUE], account[A_SPECIAL] = due, special
  account[A_NOTED] = account[A_NOTED] or special > 0
  account[A_DUE] = soonest_due(account)
end

-- The agent of an id, removed ones included; nil where there is none or it is forgotten.
local function find_agent(subscription, id)
  local agents = subscription[S_AGENTS]
  for i = 1, #agents do
    if agents[i][G_ID] == id then return agents[i] end
  end
end

-- The agent for whom an operation is, where the account has such that must be looked at; nil: it simply draws on the account.
local function noted_agent(account_index, id)
  if id == '' or not ctx.states[account_index][A_NOTED] then return nil end
  local by_id = ctx.agents_by_id[account_index]
  if not by_id then
    by_id = {}
    local agents = subscription_of(account_index)[S_AGENTS]
    for i = 1, #agents do by_id[agents[i][G_ID]] = agents[i] end
    ctx.agents_by_id[account_index] = by_id
  end
  return by_id[id]
end

-- Takes an agent that was removed out of the state, where there is one of this id.
local function forget_agent(subscription, id)
  local agents = subscription[S_AGENTS]
  for i = 1, #agents do
    if agents[i][G_ID] == id then return table.remove(agents, i) end
  end
end

local function forget_oldest_removed(subscription)
  local oldest, count = nil, 0
  for i, agent in ipairs(subscription[S_AGENTS]) do
    if agent[G_STATE] == AGENT_REMOVED then
      oldest, count = oldest or i, count + 1
    end
  end
  if count > AGENTS_REMOVED_MAX then table.remove(subscription[S_AGENTS], oldest) end
end

-- Gives an agent the terms that an operation brings: 8 tier, then the fields through the grace.
local function set_terms(agent, op)
  for i = G_TIER, G_GRACE do agent[i] = op[i + 8 - G_TIER] end
end

-- Stores what a call did to an agent: its cost, and the cycle that it is in.
local function store_agent_outcome(field, op, state, cost, have, agent)
  local outcome = struct.pack(OUTCOME, op[P_HASH], ctx.seq, state, UNIT_CREDITS, cost, 0, have, 0, agent[G_END], 0)
  return store_packed(field, outcome .. struct.pack(OUTCOME_AGENT, agent[G_START]))
end
