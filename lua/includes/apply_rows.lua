-- @include "payers"
-- @include "judging"

-- The operations of a batch before its usage events. Answers go into `codes` and `outcomes`.
-- Nearly every session is opened and settled by an active account of which nothing is due and no agent must be looked at, and is held in the first
-- lot of one wallet, which has more than enough. Those are booked here, without the tables that op_open_session and op_settle, which judge all others,
-- need of an operation, its hold and its account, and come to what these would come to.
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

  apply_rows = function(rows, shorts, packed, codes, outcomes)
    local accounts, fields, place, short = shorts[SHORT_ACCOUNT], shorts[SHORT_FIELD], 1, 0
    local known, id_pairs, entries = ctx.ids, ctx.id_pairs, ctx.entries
    local holds, hold_said, hold_fields = ctx.holds, ctx.hold_said, ctx.hold_fields
    local refuse_new, refuse_ending, check_before, now, payers = ctx.refuse_new, ctx.refuse_ending, ctx.check_before, ctx.now, ctx.payers
    local pack, unpack, floor = struct.pack, struct.unpack, math.floor
    local short_holds, hold_pairs, ended, not_due, is_spread = ctx.short_holds, ctx.hold_pairs, ctx.ended, ctx.not_due, false
    -- Most have the same deadline.
    local ending, ending_at, ending_count = nil, 0, 0
    -- Counted here, because #list searches for the end each time.
    local seq, entries_count, pairs_count, begun_count, ended_count, not_due_count = ctx.seq, 0, 0, 0, 0, 0

    -- A table by names costs several times what a list does, and only those who judge at length look for names.
    ctx.spread = function()
      for s = 1, #fields do
        if short_holds[s] then holds[fields[s]] = short_holds[s] end
      end
      for p = 1, begun_count, 2 do
        local field = hold_pairs[p]
        holds[field], hold_said[field], hold_fields[#hold_fields + 1] = hold_pairs[p + 1], hold_pairs[p + 1], field
      end
      for e = 1, ended_count do
        local field = ended[e]
        holds[field], hold_said[field], hold_fields[#hold_fields + 1] = false, false, field
      end
      for p = 1, pairs_count, 2 do known[id_pairs[p]] = id_pairs[p + 1] end
      ctx.hold_pairs, ctx.ended, ctx.ending, ctx.not_due, ctx.spread, is_spread = {}, {}, {}, {}, false, true
    end

    for i = 1, #rows do
      local op, begin, outcome = rows[i], place, nil
      local is_open = op == OP_OPEN_SESSION
      if is_open or op == OP_SETTLE then
        short = short + 1
        local account_index, field = accounts[short], fields[short]
        local payer, held, entry, hold, leaves_deadline = payers[account_index], short_holds[short], nil, nil, nil
        if payer == nil then payer = payer_of(account_index) end
        if is_spread then held = holds[field] end
        if is_open then
          local time, hold_time, unit, charge, least, wanted, unit_2, charge_2, least_2, wanted_2, said, next_place = unpack(SHORT_OPEN, packed, place)
          place = next_place
          if payer and not refuse_new and not held and not known[field] and time >= check_before then
            local have = free_in(payer, unit)
            if have and have < least and unit_2 > 0 then
              unit, charge, least, wanted = unit_2, charge_2, least_2, wanted_2
              have = free_in(payer, unit)
            end
            if have and have >= least and payer[Y_UNIT] == unit then
              -- As session_share.of_first says.
              local more = floor((have - least) / (SESSION_FIRST_SHARE * (payer[Y_HOLDS] + 1)))
              local amount = more < wanted - least and least + more or wanted
              if amount > 0 and payer[Y_REMAINING] - payer[Y_HELD] > amount then
                local deadline, lot = now + hold_time, payer[Y_LOT]
                if deadline ~= ending_at and not is_spread then
                  ending, ending_at = ctx.ending[deadline] or {}, deadline
                  ctx.ending[deadline], ending_count = ending, #ending
                end
                seq = seq + 1
                payer[Y_HELD], payer[Y_HOLDS] = payer[Y_HELD] + amount, payer[Y_HOLDS] + 1
                entry = pack(ENTRY_BEGUN, i + ENTRY_HOLD * TWO_16 + account_index * TWO_24 + unit * TWO_40, amount, lot, seq, have - amount)
                outcome = entry
                hold = pack(HOLD_SESSION, FORMAT + unit * TWO_8, amount, deadline, HOLD_SESSION_FIRST, seq, payer[Y_KEY], charge, said, lot, amount)
              end
            end
          end
        else
          local hash, _, version, newest, unit_1, amount, unit_2, amount_2, _, next_place = unpack(SHORT_SETTLE, packed, place)
          place = next_place
          if payer and type(held) == 'string' and not refuse_ending then
            local unit, set_aside, deadline, generation, parts, has_terms = unpack(HOLD_HEAD, held, HOLD_HEAD_PLACE)
            local hold_version, _, _, agent_id = unpack(HOLD_SAID, held, HOLD_SAID_PLACE)
            if unit_1 ~= unit then amount = unit_2 == unit and amount_2 or 0 end
            -- With something left beside what is held, the account is due no sooner than it was, and a lot whose time is reached, which has nothing, is
            -- another.
            if parts == 1 and has_terms == 0 and deadline > now and (version == 0 or version == hold_version)
              and (newest == 0 or newest >= generation) and amount > 0 and free_in(payer, unit) and payer[Y_UNIT] == unit
              and payer[Y_LOT] == unpack(HOLD_LOT, held, #held - HOLD_LOT_FROM_END)
              and payer[Y_REMAINING] - payer[Y_HELD] > (amount > set_aside and amount - set_aside or 0) then
              local lot_remaining, lot_held, number = payer[Y_REMAINING] - amount, payer[Y_HELD] - set_aside, payer[Y_ENTRIES] + 1
              local remaining, held_after = payer[Y_REST_REMAINING] + lot_remaining, payer[Y_REST_HELD] + lot_held
              local released, flags = set_aside - amount, 0
              if released < 0 then released, flags = 0, FLAG_OVER_HOLD end
              payer[Y_REMAINING], payer[Y_HELD], payer[Y_HOLDS], payer[Y_ENTRIES], seq = lot_remaining, lot_held, payer[Y_HOLDS] - 1, number, seq + 1
              entry = pack(ENTRY_SETTLED, i + ENTRY_SETTLE_PAID * TWO_16 + account_index * TWO_24, number, unit, amount, remaining, held_after, flags, released,
                payer[Y_LOT], agent_id)
              hold, leaves_deadline = false, generation > 0
              outcome = pack(OUTCOME_SETTLED, hash, seq, STATE_SETTLED + unit * TWO_8, amount, 0, remaining - held_after, flags, released, version)
              id_pairs[pairs_count + 1], id_pairs[pairs_count + 2] = field, outcome
              pairs_count = pairs_count + 2
            end
          end
        end
        if outcome then
          payer[Y_SEQ] = seq
          entries_count = entries_count + 1
          entries[entries_count] = entry
          if is_spread then
            if hold_said[field] == nil then hold_fields[#hold_fields + 1] = field end
            holds[field], hold_said[field] = hold, hold
            if not hold then known[field] = outcome end
          elseif hold then
            hold_pairs[begun_count + 1], hold_pairs[begun_count + 2] = field, hold
            begun_count, ending_count = begun_count + 2, ending_count + 1
            ending[ending_count] = field
          else
            ended_count = ended_count + 1
            ended[ended_count] = field
            if not leaves_deadline then
              not_due_count = not_due_count + 1
              not_due[not_due_count] = field
            end
          end
          codes[i], outcomes[i] = is_open and CODE_OPENED or CODE_OK, outcome
        else
          op = long_row(op, account_index, field, packed, begin)
        end
      end
      if not outcome then
        ctx.seq = seq
        local code, text = judging().judge(i, op)
        codes[i], outcomes[i] = code, text or ''
        seq, entries_count, pairs_count = ctx.seq, #entries, #id_pairs
      end
    end
    ctx.seq = seq
  end
end
