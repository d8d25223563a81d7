-- @include "batch_context"

-- A charge is corrected once, whoever asks: what became of it is remembered under the charge's own name (kind/id), beside the
-- id of the request.
local function reversed_field(op, charge) return id_field('o', op, charge) end

local function rerated_field(op, charge) return id_field('p', op, charge) end

-- What became of the session whose charge (settle/id) is corrected.
local function settled_field(op, charge) return id_field('h', op, string.sub(charge, 8)) end

-- A lot that a call expired before its time: when, for a reversal whose caller looked at the lot before.
local function ended_lot_field(op, number) return id_field('e', op, string.format('%.0f', number)) end

-- Appends the fields that a correction looks at beyond its own id.
local function want_corrections(op, wanted_ids)
  if op[P_KIND] == OP_RERATE then
    wanted_ids[#wanted_ids + 1] = reversed_field(op, op[P_ID])
    return
  end
  wanted_ids[#wanted_ids + 1] = reversed_field(op, op[9])
  wanted_ids[#wanted_ids + 1] = rerated_field(op, op[9])
  if op[10] == SEEN_UNSETTLED then wanted_ids[#wanted_ids + 1] = settled_field(op, op[9]) end
  for i = 13, #op, 6 do wanted_ids[#wanted_ids + 1] = ended_lot_field(op, op[i]) end
end
