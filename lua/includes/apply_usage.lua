-- @include "find_wallet"
-- @include "judging"

-- The usage events of a batch; they are operations `first_index` and on. Answers go into `codes` and `outcomes`.
-- Nearly every event is new and costs less than the first lot has left: those are booked here, without a table, in short layouts,
-- and come to what op_usage, which judges all others, would come to.
local function apply_usage(usage, first_index, codes, outcomes)
  local accounts, fields, hashes, times = usage[U_ACCOUNT], usage[U_FIELD], usage[U_HASH], usage[U_TIME]
  local units, amounts, units_2, amounts_2, more = usage[U_UNIT], usage[U_AMOUNT], usage[U_UNIT_2], usage[U_AMOUNT_2], usage[U_MORE]
  local agents, agent_ids, more_at = usage[U_AGENT], usage[U_AGENTS], {}
  for m = 1, #more, 3 do more_at[more[m]] = m end
  local states, touched, changed, known, pairs_list, entries = ctx.states, ctx.touched, ctx.changed, ctx.ids, ctx.id_pairs, ctx.entries
  local refuse_new, refuse_ending, check_before, now = ctx.refuse_new, ctx.refuse_ending, ctx.check_before, ctx.now
  local pack, sub = struct.pack, string.sub
  -- Counted here, because #list searches for the end each time.
  local entries_count, pairs_count, paid_lots = #entries, #pairs_list, ctx.paid_lots
  -- The run of entries that were paid in full: its first operation, the one that would go on with it, and behind which entry it belongs.
  local run_first, run_next, run_behind = 0, 0, 0
  local function end_run()
    if run_next == run_first then return end
    table.insert(entries, run_behind + 1, pack(ENTRY_PAID_RUN, run_first, ENTRY_PAID, run_next - run_first))
    entries_count = entries_count + 1
    run_first, run_next = 0, 0
  end
  for u = 1, #accounts do
    local op_index, account_index = first_index + u - 1, accounts[u]
    local account = states[account_index]
    local undone
    if account and not touched[account_index] and not refuse_ending then
      undone = advance(account_index)
      if #entries > entries_count then
        end_run()
        entries_count, pairs_count = #entries, #pairs_list
      end
    end
    if refuse_ending then
      codes[op_index], outcomes[op_index] = CODE_LIMIT, refuse_ending
    elseif not account then
      codes[op_index], outcomes[op_index] = CODE_MISS, ''
    elseif undone then
      codes[op_index], outcomes[op_index] = undone, ''
    else
      local field, unit, amount = fields[u], units[u], amounts[u]
      local wallets = account[A_WALLETS]
      local wallet = wallets[1]
      if wallet and wallet[W_UNIT] ~= unit then
        local first = wallet
        wallet = wallets[2] and find_wallet(account, unit)
        -- An allowance that the account never had pays nothing.
        if not wallet and amount > 0 and units_2[u] ~= 0 then
          unit, amount = units_2[u], amounts_2[u]
          wallet = first[W_UNIT] == unit and first or find_wallet(account, unit)
        end
      end
      local lot = wallet and wallet[W_LOTS][1]
      if lot and account[A_STATUS] == STATUS_ACTIVE and amount > 0 and lot[L_REMAINING] - lot[L_HELD] > amount and wallet[W_DEBT] == 0 and not known[field] and times[u] >= check_before
        and not more_at[u] and not refuse_new and (not account[A_NOTED] or judging().draws_simply(account_index, wallet, agent_ids[agents[u]])) then
        local known_lot = paid_lots[account_index]
        if op_index ~= run_next or known_lot and known_lot ~= lot then
          end_run()
          run_first, run_next, run_behind = op_index, op_index, entries_count
        end
        if known_lot ~= lot then
          paid_lots[account_index] = lot
          entries_count = entries_count + 1
          entries[entries_count] = pack(ENTRY_PAID_FROM_LAYOUT, 0, ENTRY_PAID_FROM, account_index, account[A_ENTRIES], unit, wallet[W_REMAINING],
            wallet[W_HELD], lot[L_ID])
          run_behind = entries_count
        end
        run_next = op_index + 1
        local seq, number = ctx.seq + 1, account[A_ENTRIES] + 1
        local remaining, held = wallet[W_REMAINING] - amount, wallet[W_HELD]
        ctx.seq = seq
        account[A_ENTRIES], account[A_SEQ], account[A_CHANGED_AT] = number, seq, now
        lot[L_REMAINING] = lot[L_REMAINING] - amount
        wallet[W_REMAINING] = remaining
        changed[account_index] = true
        local outcome = pack(OUTCOME_PAID, hashes[u], seq, STATE_PAID, unit, amount, remaining - held)
        known[field] = outcome
        pairs_list[pairs_count + 1], pairs_list[pairs_count + 2] = field, outcome
        pairs_count = pairs_count + 2
        codes[op_index], outcomes[op_index] = CODE_OK, outcome
      else
        local op = { OP_USAGE, account_index, sub(field, #prefix_of(account_index) + 2), hashes[u], times[u], -1, agent_ids[agents[u]] or '', units[u], amounts[u] }
        if units_2[u] ~= 0 then op[10], op[11] = units_2[u], amounts_2[u] end
        local m = more_at[u]
        if m then
          op[P_CHECKED] = more[m + 1]
          for i = 1, #more[m + 2] do op[11 + i] = more[m + 2][i] end
        end
        local code, outcome = judging().op_usage(op_index, field, op)
        codes[op_index], outcomes[op_index] = code, outcome or ''
        entries_count, pairs_count = #entries, #pairs_list
      end
    end
  end
  end_run()
end
