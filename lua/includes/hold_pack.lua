-- @include "formats"

local function pack_hold(hold)
  local parts, terms = hold[H_PARTS], hold[H_TERMS]
  local packed = { struct.pack(HOLD, hold[H_FORMAT], hold[H_UNIT], hold[H_AMOUNT], hold[H_DEADLINE], hold[H_GENERATION], #parts / 2, terms and 1 or 0,
    hold[H_SEQ], hold[H_KEY], hold[H_CHARGE], hold[H_VERSION], hold[H_HASH], hold[H_START], hold[H_AGENT], hold[H_METER], hold[H_MODEL], hold[H_DETAILS]) }
  if hold[H_GENERATION] == 0 then
    packed[2] = struct.pack(HOLD_FIRST, hold[H_FIRST_HELD], hold[H_FIRST_AVAILABLE], hold[H_FIRST_DEADLINE])
  end
  if terms then packed[#packed + 1] = struct.pack(HOLD_TERMS, terms[T_UNITS], terms[T_MICROS], terms[T_PRIORITY]) end
  for i = 1, #parts, 2 do packed[#packed + 1] = struct.pack(HOLD_PART, parts[i], parts[i + 1]) end
  return table.concat(packed)
end

local function unpack_hold(packed)
  local format, unit, amount, deadline, generation, count, has_terms, seq, key, charge, version, hash, start, agent, meter, model, details, place =
    struct.unpack(HOLD, packed)
  -- Nobody asks what a session was first answered.
  local held, available, first_deadline, terms, parts = amount, 0, deadline, false, {}
  if generation == 0 then held, available, first_deadline, place = struct.unpack(HOLD_FIRST, packed, place) end
  if has_terms == 1 then
    terms = {}
    terms[T_UNITS], terms[T_MICROS], terms[T_PRIORITY], place = struct.unpack(HOLD_TERMS, packed, place)
  end
  for i = 1, 2 * count, 2 do parts[i], parts[i + 1], place = struct.unpack(HOLD_PART, packed, place) end
  return {
    format, unit, amount, deadline, version, generation, parts, terms, hash, seq, held, available, first_deadline,
    start, key, charge, agent, meter, model, details,
  }
end
