-- @include "formats"

local function pack_hold(hold)
  local parts, terms = hold[H_PARTS], hold[H_TERMS]
  local count = #parts
  local packed = struct.pack(HOLD, hold[1], hold[2], hold[3], hold[4], hold[5], hold[6], hold[7], hold[8], hold[9], hold[10], hold[11], hold[12],
    hold[13], hold[14], hold[15], hold[16], count / 2, hold[H_GENERATION], hold[H_CHARGE], hold[H_DETAILS],
    terms and terms[1] or 0, terms and terms[2] or 0, terms and terms[3] or 0)
  if count == 2 then return packed .. struct.pack(HOLD_PART, parts[1], parts[2]) end
  local all = { packed }
  for i = 1, count, 2 do all[#all + 1] = struct.pack(HOLD_PART, parts[i], parts[i + 1]) end
  return table.concat(all)
end

local function unpack_hold(packed)
  local hold = { struct.unpack(HOLD, packed) }
  local count, units, parts, place = hold[H_PARTS], hold[H_TERMS], {}, hold[24]
  hold[H_TERMS] = units > 0 and { units, hold[22], hold[23] }
  hold[22], hold[23], hold[24] = nil, nil, nil
  for i = 1, 2 * count, 2 do parts[i], parts[i + 1], place = struct.unpack(HOLD_PART, packed, place) end
  hold[H_PARTS] = parts
  return hold
end
