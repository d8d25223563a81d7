-- @include "find_wallet"
-- @include "session_share"
-- @include "judging"

-- Nearly every session is opened and settled by an active account of which nothing is due and no agent must be looked at, and is held in the first
-- lot of one wallet, which has more than enough. Those are booked here, without a table each, and come to what op_open_session and op_settle, which
-- judge all others, would come to: both return the outcome, packed, or nil where they leave the operation to these.
local plain_sessions = {}
do
  -- The account, where it is such a one.
  local function plain_account(account_index)
    local account = ctx.states[account_index]
    if not account or account[A_STATUS] ~= STATUS_ACTIVE or account[A_NOTED] then return nil end
    local due = account[A_DUE]
    if due > 0 and due <= ctx.now then return nil end
    ctx.touched[account_index] = true
    return account
  end

  -- Numbers an entry of the account. Returns its seq.
  local function book(account, account_index, entry)
    local entries, seq = ctx.entries, ctx.seq + 1
    entries[#entries + 1] = entry
    account[A_SEQ], account[A_CHANGED_AT] = seq, ctx.now
    ctx.seq, ctx.changed[account_index], ctx.paid_lots[account_index] = seq, true, nil
    return seq
  end

  -- The wallet that pays, what it sets aside of its first lot, and what is charged so far; nil where that lot would not have something left.
  local function choose_offer(account, op)
    for i = 14, #op, 5 do
      local unit, least = op[i], op[i + 2]
      -- A wallet of characters may be too full to set some aside, and credits may be converted for them.
      if unit < 0 or unit == UNIT_TTS_CHARACTERS then return nil end
      local wallet = find_wallet(account, unit)
      local have = wallet and wallet[W_REMAINING] - wallet[W_HELD] or 0
      if have >= least then
        local amount = session_share.of_first(least, op[i + 3], have, account[A_HOLDS], 1)
        local lot = wallet and wallet[W_LOTS][1]
        if not lot or amount == 0 or lot[L_REMAINING] - lot[L_HELD] <= amount then return nil end
        return wallet, lot, amount, op[i + 1]
      end
    end
  end

  function plain_sessions.open(op_index, op, field)
    local account_index = op[P_ACCOUNT]
    local account = plain_account(account_index)
    if not account or ctx.refuse_new or ctx.holds[field] or ctx.ids[ctx.fields[op_index]] or op[P_TIME] < ctx.check_before then
      return nil
    end
    local wallet, lot, amount, charge = choose_offer(account, op)
    if not wallet then return nil end

    local unit, remaining, held, deadline, version = wallet[W_UNIT], wallet[W_REMAINING], wallet[W_HELD] + amount, ctx.now + op[7], op[8]
    lot[L_HELD], wallet[W_HELD] = lot[L_HELD] + amount, held
    account[A_HOLDS] = account[A_HOLDS] + 1
    local have = remaining - held
    local seq = book(account, account_index,
      struct.pack(ENTRY, op_index, ENTRY_HOLD, account_index, 0, unit, amount, 0, remaining, held, wallet[W_DEBT], 0, 0, 0))
    hold_put(field, struct.pack(HOLD_ONE_PART, FORMAT, unit, amount, deadline, version, op[P_HASH], seq, seq, amount, have, deadline, op[P_TIME],
      op[9], op[10], op[11], account[A_KEY], 1, 1, charge, op[12], 0, 0, 0, lot[L_ID], amount))
    return struct.pack(SESSION_OPENED, seq, 1, unit, amount, amount, have, deadline, version, charge, '')
  end

  -- The amount among (unit, amount) pairs for one unit; nil where there is none, or where credits may be converted.
  local function amount_of(op, unit)
    local amount
    for i = 10, #op, 2 do
      if op[i] < 0 then return nil end
      if op[i] == unit then amount = amount or op[i + 1] end
    end
    return amount
  end

  function plain_sessions.settle(op_index, op, field)
    local account_index, packed = op[P_ACCOUNT], ctx.holds[field]
    local account = type(packed) == 'string' and plain_account(account_index)
    if not account then return nil end
    local _, unit, set_aside, deadline, version, _, _, _, _, _, _, _, agent_id, _, _, _, parts, generation, _, _, block_units, _, _, place =
      struct.unpack(HOLD, packed)
    local amount = amount_of(op, unit)
    if parts ~= 1 or block_units > 0 or deadline <= ctx.now or op[7] ~= 0 and op[7] ~= version or op[9] > 0 and op[9] < generation or not amount
      or amount <= 0 or amount > set_aside then
      return nil
    end
    local wallet = find_wallet(account, unit)
    local lot = wallet[W_LOTS][1]
    -- With something left beside what is held, the account is due no sooner than it was, and a lot whose time is reached, which has nothing, is another.
    if lot[L_ID] ~= struct.unpack(HOLD_PART, packed, place) or lot[L_REMAINING] == lot[L_HELD] then return nil end

    local remaining, held, number = wallet[W_REMAINING] - amount, wallet[W_HELD] - set_aside, account[A_ENTRIES] + 1
    lot[L_REMAINING], lot[L_HELD] = lot[L_REMAINING] - amount, lot[L_HELD] - set_aside
    wallet[W_REMAINING], wallet[W_HELD] = remaining, held
    account[A_HOLDS], account[A_ENTRIES] = account[A_HOLDS] - 1, number
    local released = set_aside - amount
    local seq = book(account, account_index, struct.pack(ENTRY_SETTLED, op_index, ENTRY_SETTLE, account_index, number, unit, amount, 0, remaining, held,
      wallet[W_DEBT], 0, released, 1, lot[L_ID], -amount, agent_id))
    hold_put(field, false)
    return store_packed(ctx.fields[op_index],
      struct.pack(OUTCOME, op[P_HASH], seq, STATE_SETTLED, unit, amount, 0, remaining - held, 0, released, op[7]))
  end
end
