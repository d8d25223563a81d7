-- @include "end_hold"
-- @include "sessions"

-- Ends a hold without a charge. op: 7 the newest generation that the caller can own (0: any).
local function op_release(op_index, op)
  local field = hold_field(op[P_ACCOUNT], op[P_ID])
  local hold = hold_get(field)
  if hold then
    if sessions.has_moved(hold, op[7]) then return CODE_STALE end
    return CODE_OK, end_hold(op_index, op[P_ACCOUNT], op[P_ID], hold, 0, ENTRY_RELEASE, op[P_HASH], 0)
  end
  local stored = stored_outcome(field)
  if stored then
    local _, _, state = struct.unpack(OUTCOME, stored)
    if state == STATE_SETTLED then return denied(REASON_HOLD_ENDED) end
    return CODE_DUPLICATE, stored
  end
  if hold_needs_check(op) then return CODE_CHECK end
  return denied(REASON_HOLD_UNKNOWN)
end
