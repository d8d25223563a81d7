-- @include "formats"

-- What a session takes of what is available: the least that it needs, and of what is left an eighth at most. So many sessions share the last credits,
-- none is refused while others have set far more aside than they need, and the last unit can be spent. `step`: what is only taken whole (blocks).
local function session_share(least, wanted, have, step)
  local more = math.floor((have - least) / (SESSION_SHARE * step)) * step
  return least + math.min(wanted - least, more)
end
