-- @include "end_hold"
-- @include "settle_converting"

do
  -- What of a charge can be booked where `have` is there for it: nobody is there to be refused when its debt would exceed AMOUNT_MAX.
  local function bookable(charge, have, wallet)
    local missing, room = charge - have, AMOUNT_MAX - (wallet and wallet[W_DEBT] or 0)
    return missing > room and charge - (missing - room) or charge
  end

  -- A session of credits that are converted for characters: as its settle would be.
  local function expire_converting(account_index, hold_id, hold)
    local terms = hold[H_TERMS]
    local wallet = find_wallet(ctx.states[account_index], UNIT_TTS_CHARACTERS)
    local charge, spendable = hold[H_CHARGE], available(wallet, ctx.agent)
    local blocks = blocks_lacking(wallet, spendable, charge, terms)
    if not blocks then blocks, charge = 0, bookable(charge, spendable, wallet) end
    local op = { OP_EXPIRE_HOLD, account_index, hold_id, 0, 0, -1, hold[H_VERSION] }
    settle_credits_hold(0, op, hold, charge, spendable, blocks, terms, ENTRY_SESSION_EXPIRED)
  end

  -- Nobody ended the session: it is charged what its last checkpoint says, which needs no catalog.
  expire_session = function(account_index, hold_id, hold)
    ctx.agent = noted_agent(account_index, hold[H_AGENT])
    if hold[H_TERMS] then
      expire_converting(account_index, hold_id, hold)
    else
      local wallet = ensure_wallet(ctx.states[account_index], hold[H_UNIT])
      local charge = bookable(hold[H_CHARGE], hold[H_AMOUNT] + available(wallet, ctx.agent), wallet)
      end_hold(0, account_index, hold_id, hold, charge, ENTRY_SESSION_EXPIRED, 0, 0)
    end
    ctx.agent = nil
  end
end
