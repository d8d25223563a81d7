-- @include "advance"
-- @include "account_status"

-- Activates a suspended agent: a new cycle begins now, on the terms of the call. op: 7 agent, 8 its tier as the caller saw it (empty: it saw no
-- agent), 9.. the tier's terms in the order of an agent's (none: the catalog has lost the tier, and the agent goes on on those that it has).
local function op_activate_agent(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  local refusal = status_refusal(account)
  if refusal then return denied(refusal) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local agent = find_agent(subscription_of(account_index), op[7])
  if not agent or agent[G_STATE] == AGENT_REMOVED then return denied(REASON_AGENT_UNKNOWN) end
  -- Unlocked anew since the caller looked: it looks again.
  if agent[G_TIER] ~= op[8] then return CODE_STALE end
  if agent[G_STATE] == AGENT_ACTIVE then return denied(REASON_AGENT_ACTIVE) end
  local cost, have = op[11] or agent[G_RENEWAL], available(find_wallet(account, UNIT_CREDITS))
  if have < cost then return denied(REASON_INSUFFICIENT_BALANCE, UNIT_CREDITS, have, cost - have) end
  if own_lots_full(account, op[12] or agent[G_OWN]) then return denied(REASON_LOTS_MAX, UNIT_CREDITS) end
  if op[9] then set_terms(agent, op) end
  have = begin_anew(op_index, account_index, agent, ENTRY_AGENT_RENEWAL, AGENT_EVENT_ACTIVATED, cost)
  return CODE_OK, store_agent_outcome(field, op, STATE_AGENT_ACTIVATED, cost, have, agent)
end
