-- @include "batch_context"
-- @include "lots"

local function store_outcome(field, hash, seq, state, unit, amount, overdrawn, have, flags, extra, version)
  return store_packed(field, struct.pack(OUTCOME, hash, seq, state, unit, amount, overdrawn, have, flags, extra, version))
end

local function stored_outcome(field) return ctx.ids[field] end

-- What to say of an operation whose id has a stored outcome.
local function repeated(stored, op)
  if struct.unpack('<I6', stored) == op[P_HASH] then return CODE_DUPLICATE, stored end
  return CODE_CONFLICT, stored
end

local function denied(reason, unit, have, missing)
  return CODE_DENIED, struct.pack(DENIAL, reason, unit or 0, have or 0, missing or 0)
end

-- May the id of this operation have been forgotten by Redis? Then Postgres must be asked first. An id cannot have been
-- stored before its own time less the tolerance for clocks that run ahead, so younger ones need no check.
local function is_old(op) return op[P_TIME] < ctx.check_before end

local function needs_check(op) return is_old(op) and op[P_CHECKED] ~= ctx.ids_since end

-- The same for a hold that Redis does not know: it may be older than the operation on it.
local function hold_needs_check(op) return ctx.ids_since > 0 and op[P_CHECKED] ~= ctx.ids_since end

local function hold_get(field)
  local hold = ctx.holds[field]
  if type(hold) == 'string' then
    hold = unpack_hold(hold)
    ctx.holds[field] = hold
  end
  return hold or nil
end
