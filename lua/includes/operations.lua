-- @include "op_usage"
-- @include "op_reserve"
-- @include "op_extend"
-- @include "op_settle"
-- @include "op_release"
-- @include "op_open_session"
-- @include "op_checkpoint"

-- What is due by itself, and what the control plane asks for, in the same way.
local rare
do
  local made
  local function make()
-- @inside "rare_operations"
  end
  rare = function()
    made = made or make()
    return made
  end
end

-- The sweeper's. What is due is done before any operation, and a hold that one names is ended: that was all. Of no hold ('') only what is due is wanted.
local function op_expire_hold() return CODE_OK end

-- Must the operation wait, because something is due that was not done? Where deadlines that were not looked at are in the way the sweeper must not: it ends
-- holds in the order of their deadlines, and nobody else makes room.
local function must_wait(op, undone)
  return undone and not (undone == CODE_BEHIND and op[P_KIND] == OP_EXPIRE_HOLD and ctx.due_work > 0)
end

-- Touching is all: what is due is done before any operation. Returns the account as it is.
local function op_touch(_, op) return CODE_OK, pack_account(ctx.states[op[P_ACCOUNT]]) end

local function op_lookup(op_index, op)
  if op[7] == 'h' then
    local hold = hold_get(hold_field(op[P_ACCOUNT], op[P_ID]))
    if hold then return CODE_DUPLICATE, held_outcome(hold) end
  end
  local stored = stored_outcome(ctx.fields[op_index])
  if stored then return CODE_DUPLICATE, stored end
  return CODE_NONE
end

local OPERATIONS = {
  [OP_RESERVE] = op_reserve, [OP_EXTEND] = op_extend, [OP_SETTLE] = op_settle, [OP_RELEASE] = op_release,
  [OP_EXPIRE_HOLD] = op_expire_hold, [OP_TOUCH] = op_touch, [OP_LOOKUP] = op_lookup,
  [OP_OPEN_SESSION] = op_open_session, [OP_CHECKPOINT] = op_checkpoint,
}
-- Where an operation names a hold.
local HOLD_NAMED = {
  [OP_RESERVE] = P_ID, [OP_SETTLE] = P_ID, [OP_RELEASE] = P_ID, [OP_EXPIRE_HOLD] = P_ID, [OP_EXTEND] = 7, [OP_LOOKUP] = P_ID,
  [OP_OPEN_SESSION] = P_ID, [OP_CHECKPOINT] = P_ID,
}

-- A hold that an operation names ends before it is judged if its deadline is reached, whether or not the sweeper has been there. Unless it was among what
-- was due of the account, nothing but lots that it gives back to can be due since then. Returns as `advance` does.
local function expire_due_hold(account_index, hold_id)
  local hold = hold_get(hold_field(account_index, hold_id))
  if not hold or hold[H_DEADLINE] > ctx.now then return nil end
  rare().end_due_hold(account_index, hold_id, hold)
  ctx.at = ctx.now
  ctx.touched[account_index] = nil
  return advance(account_index)
end

-- Judges an operation.
local function judge(op_index, op)
  local kind, account_index, refuse_ending = op[P_KIND], op[P_ACCOUNT], ctx.refuse_ending
  local undone
  if ctx.states[account_index] and not refuse_ending then
    if not ctx.touched[account_index] then undone = advance(account_index) end
    if not undone and HOLD_NAMED[kind] then undone = expire_due_hold(account_index, op[HOLD_NAMED[kind]]) end
  end
  if refuse_ending and kind ~= OP_TOUCH and kind ~= OP_LOOKUP and kind ~= OP_SHOW then return CODE_LIMIT, refuse_ending end
  if not ctx.states[account_index] and kind ~= OP_CREATE then return CODE_MISS end
  if must_wait(op, undone) then return undone end
  -- What is due stays due.
  if refuse_ending then ctx.touched[account_index] = true end
  ctx.agent = nil
  return (OPERATIONS[kind] or rare().operations[kind])(op_index, op)
end

return {
  judge = judge,
  op_usage = op_usage,
  draws_simply = draws_simply,
  advance_due = function(account_index) return rare().advance_due(account_index) end,
  want_corrections = function(op, wanted_ids) return rare().want_corrections(op, wanted_ids) end,
}
