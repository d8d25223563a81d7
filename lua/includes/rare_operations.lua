-- @include "advance"
-- @include "op_grant"
-- @include "op_create"
-- @include "op_reverse"
-- @include "op_rerate"
-- @include "op_expire_lot"
-- @include "op_set_status"
-- @include "op_convert"
-- @include "op_start_period"
-- @include "op_change_plan"
-- @include "op_withdraw_change"
-- @include "op_unlock_agent"
-- @include "op_activate_agent"
-- @include "op_end_agent"

-- Like op_touch, with the account's subscription.
local function op_show(_, op)
  local packed = cmsgpack.pack(subscription_of(op[P_ACCOUNT]))
  return CODE_OK, pack_account(ctx.states[op[P_ACCOUNT]]) .. struct.pack('<I4', #packed) .. packed
end

return {
  advance_due = advance_due,
  end_due_hold = end_due_hold,
  want_corrections = want_corrections,
  operations = {
    [OP_CREATE] = op_create, [OP_GRANT] = op_grant, [OP_REVERSE] = op_reverse, [OP_RERATE] = op_rerate, [OP_EXPIRE_LOT] = op_expire_lot,
    [OP_SET_STATUS] = op_set_status, [OP_CONVERT] = op_convert, [OP_START_PERIOD] = op_start_period, [OP_CHANGE_PLAN] = op_change_plan,
    [OP_WITHDRAW_CHANGE] = op_withdraw_change, [OP_SHOW] = op_show, [OP_UNLOCK_AGENT] = op_unlock_agent,
    [OP_ACTIVATE_AGENT] = op_activate_agent, [OP_SUSPEND_AGENT] = op_suspend_agent, [OP_REMOVE_AGENT] = op_remove_agent,
  },
}
