-- @include "conversion"
-- @include "session_share"

-- What opening and checkpointing a session have in common; in a table, because Lua allows 200 local names in a script.
local sessions = {}

-- Does somebody newer own the session than whoever calls can be? 0: the call is for whoever owns it.
function sessions.has_moved(hold, generation) return generation > 0 and hold[H_GENERATION] > generation end

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
