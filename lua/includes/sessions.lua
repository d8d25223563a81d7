-- @include "conversion"

-- What opening and checkpointing a session have in common; in a table, because Lua allows 200 local names in a script.
local sessions = {}

-- Does somebody newer own the session than whoever calls can be? 0: the call is for whoever owns it.
function sessions.has_moved(hold, generation) return generation > 0 and hold[H_GENERATION] > generation end

-- What a session takes of what is available: the least that it needs, and of what is left one part in `parts` at most. So many sessions share the last
-- credits, none is refused while others have set far more aside than they need, and the last unit can be spent. `step`: what is only taken whole (blocks).
function sessions.share(least, wanted, have, parts, step)
  local more = math.floor((have - least) / (parts * step)) * step
  return least + math.min(wanted - least, more)
end

-- Beside `others` open holds of the account. Whoever opens needs next to nothing yet and can grow at once, and others may be about to open.
function sessions.first_share(least, wanted, have, others, step)
  return sessions.share(least, wanted, have, SESSION_FIRST_SHARE * (others + 1), step)
end

-- Of `holds` open holds of the account, its own included.
function sessions.next_share(least, wanted, have, holds, step)
  return sessions.share(least, wanted, have, math.max(SESSION_SHARE, holds), step)
end

-- What of a hold is there for its charge: itself; or the characters that its credits buy, beyond the debt that they pay first.
function sessions.covers(account, hold)
  local terms = hold[H_TERMS]
  if not terms then return hold[H_AMOUNT] end
  local allowance = find_wallet(account, UNIT_TTS_CHARACTERS)
  local bought = math.min(math.floor(hold[H_AMOUNT] / terms[T_MICROS]) * terms[T_UNITS], AMOUNT_MAX)
  return math.max(0, bought - (allowance and allowance[W_DEBT] or 0))
end

-- Sets `amount` more aside for a session.
function sessions.grow(account, wallet, hold, amount, agent)
  set_aside(wallet, amount, hold[H_PARTS], agent)
  hold[H_AMOUNT] = hold[H_AMOUNT] + amount
  if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
end

-- Are there too many lots to set characters aside in?
function sessions.is_full(unit, wallet)
  return unit == UNIT_TTS_CHARACTERS and wallet and #wallet[W_LOTS] >= LOTS_HOLDING_MAX
end
