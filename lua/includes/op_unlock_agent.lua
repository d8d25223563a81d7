-- @include "advance"
-- @include "account_status"

-- How many agents the account has, those that are suspended included.
local function count_agents(agents)
  local count = 0
  for i = 1, #agents do
    if agents[i][G_STATE] ~= AGENT_REMOVED then count = count + 1 end
  end
  return count
end

-- Why the account cannot have one more agent, or pay `cost`; nil where it can.
local function unlock_denial(account, subscription, id, cost)
  local known = find_agent(subscription, id)
  if known and known[G_STATE] ~= AGENT_REMOVED then return denied(REASON_AGENT_EXISTS) end
  local count, allowed = count_agents(subscription[S_AGENTS]), subscription[S_AGENTS_MAX]
  if count >= AGENTS_MAX or allowed >= 0 and count >= allowed then return denied(REASON_AGENTS_MAX) end
  local have = available(find_wallet(account, UNIT_CREDITS))
  if have < cost then return denied(REASON_INSUFFICIENT_BALANCE, UNIT_CREDITS, have, cost - have) end
end

-- Unlocks an agent: its first cycle begins. op: 7 agent, 8 tier (empty: nothing but the stored outcome is wanted), 9.. its terms in the
-- order of an agent's, 16 what it costs. An id whose agent was removed becomes another agent.
local function op_unlock_agent(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  -- Like conversions: rare, and money.
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  if op[8] == '' then return CODE_NONE end
  local refusal = status_refusal(account)
  if refusal then return denied(refusal) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local subscription, id, cost = subscription_of(account_index), op[7], op[16]
  local code, why = unlock_denial(account, subscription, id, cost)
  if code then return code, why end
  if own_lots_full(account, op[12]) then return denied(REASON_LOTS_MAX, UNIT_CREDITS) end
  forget_agent(subscription, id)
  subscription[S_AGENTS_MADE] = subscription[S_AGENTS_MADE] + 1
  local agent = { subscription[S_AGENTS_MADE], id, AGENT_ACTIVE }
  set_terms(agent, op)
  table.insert(subscription[S_AGENTS], agent)
  local have = begin_anew(op_index, account_index, agent, ENTRY_AGENT_UNLOCK, AGENT_EVENT_UNLOCKED, cost)
  return CODE_OK, store_agent_outcome(field, op, STATE_AGENT_UNLOCKED, cost, have, agent)
end
