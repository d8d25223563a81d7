-- @include "batch_context"
-- @include "hold_pack"
-- @include "passed_deadlines"

-- Which holds may have a deadline that has passed, of all accounts of the batch that have holds; read once a batch: {fields by the account's prefix, time
-- through which there are no others}.
local function read_overdue()
  local fields = {}
  for i = 1, #ctx.account_ids do
    if ctx.states[i] and ctx.states[i][A_HOLDS] > 0 then fields[prefix_of(i)] = {} end
  end
  local function look(field)
    local digits = string.match(field, '^h(%d+):')
    local of_account = digits and fields[string.sub(field, 2, 2 + #digits + tonumber(digits))]
    if of_account and not of_account[field] then
      of_account[#of_account + 1], of_account[field] = field, true
    end
  end
  local first, last = look_at_deadlines(ctx.now, DEADLINES_LOOKED_MAX, function(_, members)
    for i = 1, #members do look(members[i]) end
  end)
  if not last then return { fields, ctx.now } end
  -- More of the same time as the last may follow.
  return { fields, first < last and last - 1 or last }
end

-- Open holds of an account whose deadline has passed, in the order in which they end: {id, hold} each; and the time through which there are no others.
local function overdue_holds(account_index)
  ctx.overdue = ctx.overdue or read_overdue()
  local prefix, unread, holds = prefix_of(account_index), {}, {}
  local fields, through = ctx.overdue[1][prefix] or {}, ctx.overdue[2]
  for _, field in ipairs(fields) do
    if ctx.holds[field] == nil then unread[#unread + 1] = field end
  end
  hash_read(KEYS[4], unread, ctx.holds)
  for _, field in ipairs(fields) do
    local hold = hold_get(field)
    -- This batch may have moved its deadline.
    if hold and hold[H_DEADLINE] <= ctx.now then holds[#holds + 1] = { string.sub(field, #prefix + 2), hold } end
  end
  table.sort(holds, function(a, b)
    if a[2][H_DEADLINE] ~= b[2][H_DEADLINE] then return a[2][H_DEADLINE] < b[2][H_DEADLINE] end
    return a[2][H_SEQ] < b[2][H_SEQ]
  end)
  return holds, through
end
