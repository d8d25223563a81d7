-- Looks at deadlines that have passed, in their order: says what is due, and drops those of which nothing is left, because sessions that end the short way
-- leave theirs (includes/formats.lua).
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 installation  2 epoch  3 run_id of the connection  4 highest seq seen  5 sidecar's time in ms  6 clockSkewMaxMs
--       7 how many holds and accounts to look at, or a few more where the last deadline is one of many holds
-- Returns a list: 1 msgpack {status, deadlines dropped, 1 where deadlines were left that have passed, else 0}  2.. what is due: fields of holds, 'a' and an account's id
-- Ending work: runs also when Redis is out of memory.
--
-- @include "formats"
-- @include "fence"
-- @include "hash_chunks"
-- @include "passed_deadlines"

local META, HOLDS, DEADLINES = KEYS[1], KEYS[4], KEYS[7]
local meta, refusal = fence(META)
if not meta then return { refusal } end

local due, dropped = { '' }, {}
local more = look_at_deadlines(meta.now, tonumber(ARGV[7]), function(member, fields)
  if string.sub(member, 1, 1) == 'a' then
    due[#due + 1] = member
    return
  end
  local holds, is_left = hash_values(HOLDS, fields), false
  for i = 1, #fields do
    -- One whose deadline was moved has another.
    if holds[i] and struct.unpack(HOLD_DEADLINE, holds[i], HOLD_DEADLINE_PLACE) <= meta.now then
      due[#due + 1] = fields[i]
      is_left = true
    end
  end
  if not is_left then dropped[#dropped + 1] = member end
end)
remove_chunked('ZREM', DEADLINES, dropped)
due[1] = cmsgpack.pack({ 'OK', #dropped, more and 1 or 0 })
return due
