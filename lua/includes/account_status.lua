-- @include "outcomes"

-- Why an account takes no new work, or the agent for whom it is; nil where they do.
local function status_refusal(account)
  local status = account[A_STATUS]
  if status == STATUS_FROZEN then return REASON_ACCOUNT_FROZEN end
  if status == STATUS_CLOSED then return REASON_ACCOUNT_CLOSED end
  if ctx.agent and ctx.agent[G_STATE] ~= AGENT_ACTIVE then return REASON_AGENT_SUSPENDED end
end

-- What finished usage of such an account or agent is flagged with: it is booked all the same.
local function status_flags(account)
  local status = account[A_STATUS]
  local flags = ctx.agent and ctx.agent[G_STATE] ~= AGENT_ACTIVE and FLAG_AGENT_SUSPENDED or 0
  if status == STATUS_FROZEN then return flags + FLAG_FROZEN end
  return status == STATUS_CLOSED and flags + FLAG_CLOSED or flags
end
