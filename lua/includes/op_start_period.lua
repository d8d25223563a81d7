-- @include "advance"

-- What is said of a period to whoever starts it again.
local function period_outcome(account, period, op)
  local begun = period[B_LOT] ~= nil
  local have = begun and available(find_wallet(account, UNIT_CREDITS)) or 0
  return struct.pack(OUTCOME, op[P_HASH], account[A_SEQ], begun and STATE_PERIOD_STARTED or STATE_PERIOD_STORED, UNIT_CREDITS, period[B_GRANTED] or 0,
    period[B_PAID] or 0, have, 0, period[B_LOT] or period[B_START], 0)
end

-- Starts a billing period, or stores it where it begins later. op: 7 plan, 8 its rank, 9 how many agents it allows (-1: any number), 10 credits,
-- 11 their priority, 12 whether they stay beyond the end (0 or 1), 13 start, 14 end. Once for each start, whatever the request. Credits of -1: the
-- catalog does not know the plan (any more), and nothing but what was said before is wanted.
local function op_start_period(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  -- Grants are rare and are money: Postgres is asked each time, however young they are.
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  local starts, ends = op[13], op[14]
  local subscription = subscription_of(account_index)
  for _, period in ipairs({ subscription[S_PERIOD] or {}, subscription[S_NEXT] or {} }) do
    if period[B_START] == starts then
      local same = period[B_PLAN] == op[7] and period[B_END] == ends
      return same and CODE_DUPLICATE or CODE_CONFLICT, period_outcome(account, period, op)
    end
  end
  if op[10] < 0 then return CODE_NONE end
  if account[A_STATUS] == STATUS_CLOSED then return denied(REASON_ACCOUNT_CLOSED) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end
  if ends <= ctx.now then return denied(REASON_PERIOD_ENDED) end
  for _, period in ipairs({ subscription[S_PERIOD] or {}, subscription[S_NEXT] or {} }) do
    if period[B_START] and starts < period[B_END] and period[B_START] < ends then return denied(REASON_PERIOD_OVERLAPS) end
  end
  local period = { starts, ends, op[7], op[8], op[9], op[10], op[11], op[12] }
  if starts > ctx.now then
    if subscription[S_NEXT] then return denied(REASON_PERIOD_STORED) end
    -- When it begins nobody is there to be refused.
    local credits = find_wallet(account, UNIT_CREDITS)
    if credits and account_lots(credits) >= LOTS_MAX then return denied(REASON_LOTS_MAX, UNIT_CREDITS) end
    subscription[S_NEXT] = period
    add_plan_change(op_index, account_index, op[7], PLAN_PERIOD_STORED, starts, ends)
    subscription_changed(account_index)
    return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_PERIOD_STORED, UNIT_CREDITS, 0, 0, 0, 0, starts, 0)
  end
  local refusal = grant_refusal(account, op[10])
  if refusal then return denied(refusal, UNIT_CREDITS) end
  local have = begin_period(op_index, account_index, period, {})
  retry_renewals(account_index)
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_PERIOD_STARTED, UNIT_CREDITS, period[B_GRANTED], period[B_PAID], have, 0, period[B_LOT], 0)
end
