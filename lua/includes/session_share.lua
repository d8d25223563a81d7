-- What a session takes of what is available.
local session_share = {}
do
  -- The least that it needs, and of what is left one part in `parts` at most. So many sessions share the last credits, none is refused while others have
  -- set far more aside than they need, and the last unit can be spent. `step`: what is only taken whole (blocks).
  local function share(least, wanted, have, parts, step)
    return least + math.min(wanted - least, math.floor((have - least) / (parts * step)) * step)
  end

  -- Beside `others` open holds of the account. Whoever opens needs next to nothing yet and can grow at once, and others may be about to open.
  function session_share.of_first(least, wanted, have, others, step)
    return share(least, wanted, have, SESSION_FIRST_SHARE * (others + 1), step)
  end

  -- Of `holds` open holds of the account, its own included.
  function session_share.of_next(least, wanted, have, holds, step)
    return share(least, wanted, have, math.max(SESSION_SHARE, holds), step)
  end
end
