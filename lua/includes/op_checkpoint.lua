-- @include "account_status"
-- @include "sessions"
-- @include "subscriptions"

-- Notes how far a session has come, so that it can be ended without its owner; moves its deadline and lets it grow. op: 7 generation, 8 charge, 9 details,
-- 10 hold time in ms (0: the deadline stays; else it is now + this, also where that is sooner), 11 and 12 what it is to grow by at
-- least and at best, in what the charge is counted in (0, 0: not).
local op_checkpoint
do
  -- Lets a session grow by at least op[11], at best op[12]. Returns by how much it grew, and why it did not.
  local function session_growth(account, wallet, hold, op, refusal)
    local least, wanted, terms = op[11], op[12], hold[H_TERMS]
    if wanted == 0 or refusal then return 0, refusal or 0 end
    if ctx.refuse_new or sessions.is_full(hold[H_UNIT], wallet) then return 0, REASON_LOTS_MAX end
    local have, agent = growable(account, wallet, hold)
    local step = terms and terms[T_MICROS] or 1
    if terms then least, wanted = math.ceil(least / terms[T_UNITS]) * step, math.ceil(wanted / terms[T_UNITS]) * step end
    if least > have then return 0, REASON_INSUFFICIENT_BALANCE end
    local amount = session_share.of_next(least, wanted, have, account[A_HOLDS], step)
    sessions.grow(account, wallet, hold, amount, agent)
    return amount, 0
  end

  op_checkpoint = function(op_index, op)
    local account_index = op[P_ACCOUNT]
    local account = ctx.states[account_index]
    local field = hold_field(op[P_ACCOUNT], op[P_ID])
    local hold = hold_get(field)
    if not hold then
      local ended = stored_outcome(field)
      if ended then return CODE_ENDED, ended end
      if hold_needs_check(op) then return CODE_CHECK end
      return denied(REASON_HOLD_UNKNOWN)
    end
    -- A newer generation than the hold's was given before Redis lost it: its owner is the newest that there is.
    if hold[H_GENERATION] == 0 or op[7] < hold[H_GENERATION] then return CODE_STALE end

    ctx.agent = noted_agent(account_index, hold[H_AGENT])
    local wallet = ensure_wallet(account, hold[H_UNIT])
    local grown, refusal = session_growth(account, wallet, hold, op, status_refusal(account))
    hold[H_GENERATION], hold[H_CHARGE], hold[H_DETAILS] = op[7], op[8], op[9]
    if op[10] > 0 then hold[H_DEADLINE] = ctx.now + op[10] end
    local have = add_entry(op_index, ENTRY_CHECKPOINT, account_index, wallet, grown, 0, 0, {})
    hold_put(field, hold)
    local others_hold = wallet[W_HELD] > hold[H_AMOUNT] and 1 or 0
    return CODE_OK, struct.pack(SESSION_CHECKPOINTED, ctx.seq, refusal, others_hold, hold[H_AMOUNT], sessions.covers(account, hold), have,
      hold[H_DEADLINE])
  end
end
