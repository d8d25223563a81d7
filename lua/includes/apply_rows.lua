-- @include "find_wallet"
-- @include "judging"

-- The operations of a batch before its usage events. Answers go into `codes` and `outcomes`.
-- Nearly every session is opened and settled by an active account of which nothing is due and no agent must be looked at, and is held in the first
-- lot of one wallet, which has more than enough. Those are booked here, without a table each, and come to what op_open_session and op_settle, which
-- judge all others, would come to.
local apply_rows
do
  -- The row that says the same as an operation in short.
  local function long_row(kind, account_index, field, packed, place)
    local id = string.sub(field, #prefix_of(account_index) + 2)
    if kind == OP_OPEN_SESSION then
      local time, hold_time, unit, charge, least, wanted, unit_2, charge_2, least_2, wanted_2, said = struct.unpack(SHORT_OPEN, packed, place)
      local version, hash, _, agent, meter, model, details = struct.unpack(SAID, said)
      local row = { kind, account_index, id, hash, time, -1, hold_time, version, agent, meter, model, details, 0, unit, charge, least, wanted, 0 }
      if unit_2 > 0 then row[19], row[20], row[21], row[22], row[23] = unit_2, charge_2, least_2, wanted_2, 0 end
      return row
    end
    local hash, time, version, newest, unit, amount, unit_2, amount_2, agent = struct.unpack(SHORT_SETTLE, packed, place)
    local row = { kind, account_index, id, hash, time, -1, version, agent, newest, unit, amount }
    if unit_2 > 0 then row[12], row[13] = unit_2, amount_2 end
    return row
  end

  -- A wallet, and what it has for sessions. One of characters may be too full to set some aside, and credits may be converted for them: it is none here.
  local function plain_wallet(account, unit)
    if unit == UNIT_TTS_CHARACTERS then return nil, AMOUNT_MAX end
    local wallet = account[A_WALLETS][1]
    if not wallet or wallet[W_UNIT] ~= unit then wallet = find_wallet(account, unit) end
    if not wallet then return nil, 0 end
    return wallet, wallet[W_REMAINING] - wallet[W_HELD]
  end

  apply_rows = function(rows, shorts, packed, codes, outcomes)
    local accounts, fields, place, short = shorts[SHORT_ACCOUNT], shorts[SHORT_FIELD], 1, 0
    local states, changed, known, id_pairs, entries = ctx.states, ctx.changed, ctx.ids, ctx.id_pairs, ctx.entries
    local holds, hold_said, hold_fields = ctx.holds, ctx.hold_said, ctx.hold_fields
    local refuse_new, refuse_ending, check_before, now = ctx.refuse_new, ctx.refuse_ending, ctx.check_before, ctx.now
    local pack, unpack, floor = struct.pack, struct.unpack, math.floor
    local opened, booked = string.char(CODE_OPENED), string.char(CODE_OK)
    -- Counted here, because #list searches for the end each time.
    local seq, entries_count, pairs_count, holds_count = ctx.seq, 0, 0, 0

    for i = 1, #rows do
      local op, begin, outcome = rows[i], place, nil
      local is_open = op == OP_OPEN_SESSION
      if is_open or op == OP_SETTLE then
        short = short + 1
        local account_index, field = accounts[short], fields[short]
        local account, entry, hold = states[account_index], nil, nil
        local is_plain = account and account[A_STATUS] == STATUS_ACTIVE and not account[A_NOTED] and (account[A_DUE] == 0 or account[A_DUE] > now)
        if is_open then
          local time, hold_time, unit, charge, least, wanted, unit_2, charge_2, least_2, wanted_2, said, next_place = unpack(SHORT_OPEN, packed, place)
          place = next_place
          if is_plain and not refuse_new and not holds[field] and not known[field] and time >= check_before then
            local wallet, have = plain_wallet(account, unit)
            if have < least and unit_2 > 0 then
              unit, charge, least, wanted = unit_2, charge_2, least_2, wanted_2
              wallet, have = plain_wallet(account, unit)
            end
            local lot = wallet and have >= least and wallet[W_LOTS][1]
            if lot then
              -- As session_share.of_first says.
              local more = floor((have - least) / (SESSION_FIRST_SHARE * (account[A_HOLDS] + 1)))
              local amount = more < wanted - least and least + more or wanted
              if amount > 0 and lot[L_REMAINING] - lot[L_HELD] > amount then
                local deadline = now + hold_time
                seq = seq + 1
                lot[L_HELD], wallet[W_HELD], account[A_HOLDS] = lot[L_HELD] + amount, wallet[W_HELD] + amount, account[A_HOLDS] + 1
                entry = pack(ENTRY_HELD, i, ENTRY_HOLD, account_index, unit, amount, lot[L_ID], seq, have - amount)
                outcome = entry
                hold = pack(HOLD_SESSION, FORMAT, unit, amount, deadline, 1, 1, 0, seq, account[A_KEY], charge, said, lot[L_ID], amount)
              end
            end
          end
        else
          local hash, _, version, newest, unit_1, amount, unit_2, amount_2, _, next_place = unpack(SHORT_SETTLE, packed, place)
          place = next_place
          local held = holds[field]
          if is_plain and type(held) == 'string' and not refuse_ending then
            local unit, set_aside, deadline, generation, parts, has_terms = unpack(HOLD_HEAD, held, HOLD_HEAD_PLACE)
            local hold_version, _, _, agent_id = unpack(HOLD_SAID, held, HOLD_SAID_PLACE)
            if unit_1 ~= unit then amount = unit_2 == unit and amount_2 or 0 end
            local wallet = plain_wallet(account, unit)
            local lot = wallet and wallet[W_LOTS][1]
            -- With something left beside what is held, the account is due no sooner than it was, and a lot whose time is reached, which has nothing, is
            -- another.
            if lot and parts == 1 and has_terms == 0 and deadline > now and (version == 0 or version == hold_version)
              and (newest == 0 or newest >= generation) and amount > 0 and wallet[W_DEBT] == 0 and lot[L_ID] == unpack(HOLD_LOT, held, #held - HOLD_LOT_FROM_END)
              and lot[L_REMAINING] - lot[L_HELD] > (amount > set_aside and amount - set_aside or 0) then
              local remaining, held_after, number = wallet[W_REMAINING] - amount, wallet[W_HELD] - set_aside, account[A_ENTRIES] + 1
              local released, flags = set_aside - amount, 0
              if released < 0 then released, flags = 0, FLAG_OVER_HOLD end
              lot[L_REMAINING], lot[L_HELD] = lot[L_REMAINING] - amount, lot[L_HELD] - set_aside
              wallet[W_REMAINING], wallet[W_HELD] = remaining, held_after
              account[A_HOLDS], account[A_ENTRIES], seq = account[A_HOLDS] - 1, number, seq + 1
              entry = pack(ENTRY_SETTLED, i, ENTRY_SETTLE_PAID, account_index, number, unit, amount, remaining, held_after, flags, released,
                lot[L_ID], agent_id)
              hold = false
              outcome = pack(OUTCOME, hash, seq, STATE_SETTLED, unit, amount, 0, remaining - held_after, flags, released, version)
              known[field] = outcome
              id_pairs[pairs_count + 1], id_pairs[pairs_count + 2] = field, outcome
              pairs_count = pairs_count + 2
            end
          end
        end
        if outcome then
          account[A_SEQ], account[A_CHANGED_AT] = seq, now
          changed[account_index] = true
          entries_count = entries_count + 1
          entries[entries_count] = entry
          if hold_said[field] == nil then
            holds_count = holds_count + 1
            hold_fields[holds_count] = field
          end
          holds[field], hold_said[field] = hold, hold
          codes[i], outcomes[i] = is_open and opened or booked, outcome
        else
          op = long_row(op, account_index, field, packed, begin)
        end
      end
      if not outcome then
        ctx.seq = seq
        local code, text = judging().judge(i, op)
        codes[i], outcomes[i] = string.char(code), text or ''
        seq, entries_count, pairs_count, holds_count = ctx.seq, #entries, #id_pairs, #hold_fields
      end
    end
    ctx.seq = seq
  end
end
