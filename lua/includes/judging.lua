-- @include "batch_context"

-- Everything but the shortest ways of the most frequent operations, made when one first needs it: a table of the functions that
-- includes/operations.lua returns. Each function that a script makes costs every call half a microsecond or more, because Lua looks for each
-- local name that it uses among all that are in use; most batches need few of them.
local judging

-- Does what has become due of an account, once for each account and batch: nearly always nothing. Returns what includes/advance.lua says.
local function advance(account_index)
  local due = ctx.states[account_index][A_DUE]
  if due > 0 and due <= ctx.now then return judging().advance_due(account_index) end
  ctx.touched[account_index] = true
  return nil
end

do
  local made
  local function make()
-- @inside "operations"
  end
  judging = function()
    if ctx.spread then ctx.spread() end
    made = made or make()
    return made
  end
end
