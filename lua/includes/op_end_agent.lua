-- @include "advance"

-- An agent that takes part in work; nil and the denial where there is none. op: 7 agent.
local function agent_to_end(op_index, op)
  if op[P_CHECKED] < 0 or needs_check(op) then return nil, CODE_CHECK end
  local agent = find_agent(subscription_of(op[P_ACCOUNT]), op[7])
  if not agent or agent[G_STATE] == AGENT_REMOVED then return nil, denied(REASON_AGENT_UNKNOWN) end
  return agent
end

-- Suspends an active agent. What is left of its own credits stays until its cycle ends.
local function op_suspend_agent(op_index, op)
  local account_index, field = op[P_ACCOUNT], ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  local agent, code, why = agent_to_end(op_index, op)
  if not agent then return code, why end
  if agent[G_STATE] == AGENT_SUSPENDED then return denied(REASON_AGENT_SUSPENDED) end
  suspend_agent(op_index, account_index, agent)
  subscription_changed(account_index)
  return CODE_OK, store_agent_outcome(field, op, STATE_AGENT_SUSPENDED, 0, 0, agent)
end

-- Removes an agent: it counts no more. It is remembered, so that its reservations stay denied; beyond AGENTS_REMOVED_MAX the one that was
-- unlocked first is forgotten.
local function op_remove_agent(op_index, op)
  local account_index, field = op[P_ACCOUNT], ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  local agent, code, why = agent_to_end(op_index, op)
  if not agent then return code, why end
  agent[G_STATE], agent[G_DUE] = AGENT_REMOVED, 0
  add_agent_entry(op_index, ENTRY_AGENT_STATUS, account_index, agent, AGENT_EVENT_REMOVED, nil, 0, {})
  forget_oldest_removed(subscription_of(account_index))
  subscription_changed(account_index)
  return CODE_OK, store_agent_outcome(field, op, STATE_AGENT_REMOVED, 0, 0, agent)
end
