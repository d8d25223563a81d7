-- @include "add_entry"
-- @include "account_status"

-- Freezes, unfreezes, closes or reopens an account. op: 7 the new status, 8 the status that it must have (0: any other one),
-- 9 reason code, 10 reason text (for the ledger).
local function op_set_status(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end

  local status = account[A_STATUS]
  if status == op[7] or op[8] ~= 0 and status ~= op[8] then
    return denied(status_refusal(account) or REASON_ACCOUNT_ACTIVE)
  end
  account[A_STATUS] = op[7]
  add_entry(op_index, ENTRY_ACCOUNT_STATUS, account_index, nil, 0, 0, 0, {})
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_STATUS_SET, 0, 0, 0, 0, 0, 0, 0)
end
