-- @include "batch_context"

-- Why an account takes no new work; nil where it does.
local function status_refusal(account)
  local status = account[A_STATUS]
  if status == STATUS_FROZEN then return REASON_ACCOUNT_FROZEN end
  if status == STATUS_CLOSED then return REASON_ACCOUNT_CLOSED end
end

-- What finished usage of such an account is flagged with: it is booked all the same.
local function status_flag(account)
  local status = account[A_STATUS]
  if status == STATUS_FROZEN then return FLAG_FROZEN end
  return status == STATUS_CLOSED and FLAG_CLOSED or 0
end
