-- @include "formats"

-- Calls `look(member, fields)` for each deadline that has passed at `now`, in their order, until `looks` holds and accounts were looked at; the last may have a
-- few more. `fields`: of its holds; the member itself where it is an account's. Returns the times of the first and the last of them; nil where that were all.
-- They are read in pages, because one may be of many holds.
local function look_at_deadlines(now, looks, look)
  local until_now, offset, looked, first, last = string.format('%.0f', now), 0, 0, nil, nil
  repeat
    local page = redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', until_now, 'WITHSCORES', 'LIMIT', offset, DEADLINES_PER_PAGE)
    for i = 1, #page, 2 do
      if looked >= looks then return first, last end
      local member, fields = page[i], {}
      if string.sub(member, 1, 1) == DEADLINE_OF_MANY then
        for field in string.gmatch(string.sub(member, 2), '%Z+') do fields[#fields + 1] = field end
      else
        fields[1] = member
      end
      look(member, fields)
      last = tonumber(page[i + 1])
      looked, first = looked + #fields, first or last
    end
    offset = offset + DEADLINES_PER_PAGE
  until #page < 2 * DEADLINES_PER_PAGE
  if looked >= looks then return first, last end
  return nil
end
