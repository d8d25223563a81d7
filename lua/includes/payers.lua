-- @include "batch_context"

-- An account as a payer, or false: it is not there, not active, something of it is due, some agent must be looked at, or it has its tables already, with which
-- it is judged at length for the rest of the batch.
local function payer_of(account_index)
  local payer, packed = ctx.payers[account_index], ctx.packed_states[account_index]
  if payer ~= nil then return payer end
  payer = false
  if packed and #packed >= ONE_LOT_BYTES then
    local entries, holds, key, _, _, due, status, wallets = struct.unpack(PAYER_HEAD, packed, PAYER_HEAD_PLACE)
    if status == STATUS_ACTIVE and wallets < WALLETS_NOTED and (due == 0 or due > ctx.now) then
      payer = { entries, holds, key, 0, 0, 0, 0, 0, 0, packed, 0, 0 }
    end
  end
  ctx.payers[account_index] = payer
  return payer
end

-- What a payer has for sessions in `unit`. It pays in that unit from now on, if nothing was paid in another one and there is no debt. A wallet of characters
-- may be too full to set some aside, and credits may be converted for them: nil.
local function free_in(payer, unit)
  if unit == UNIT_TTS_CHARACTERS then return nil end
  if payer[Y_UNIT] ~= unit then
    local packed, place = payer[Y_PACKED], PAYER_WALLETS_PLACE
    while place + PAYER_WALLET_BYTES <= #packed + 1 do
      local found, debt, rest_remaining, rest_held, lots, lot, _, _, _, remaining, held = struct.unpack(PAYER_WALLET, packed, place)
      if found == unit then
        if lots == 0 then return 0 end
        if payer[Y_SEQ] > 0 or debt > 0 then return rest_remaining + remaining - rest_held - held end
        payer[Y_UNIT], payer[Y_LOT], payer[Y_REMAINING], payer[Y_HELD], payer[Y_REST_REMAINING], payer[Y_REST_HELD], payer[Y_PLACE] =
          unit, lot, remaining, held, rest_remaining, rest_held, place
        break
      end
      place = place + WALLET_BYTES + lots * LOT_BYTES
    end
    if payer[Y_UNIT] ~= unit then return 0 end
  end
  return payer[Y_REST_REMAINING] + payer[Y_REMAINING] - payer[Y_REST_HELD] - payer[Y_HELD]
end

-- The account's state with what its payer paid, packed.
local function pack_payer(payer)
  local packed, amounts = payer[Y_PACKED], payer[Y_PLACE] + LOT_AMOUNTS_PLACE
  return struct.pack(PAYER, FORMAT, payer[Y_SEQ], ctx.now, payer[Y_ENTRIES], payer[Y_HOLDS], string.sub(packed, PAYER_KEPT_PLACE, amounts - 1),
    payer[Y_REMAINING], payer[Y_HELD], string.sub(packed, amounts + LOT_AMOUNTS_BYTES))
end

-- Tables of an account, once something is judged at length.
setmetatable(ctx.states, {
  __index = function(states, account_index)
    local payer, packed = ctx.payers[account_index], ctx.packed_states[account_index]
    if not packed then return nil end
    if payer and payer[Y_SEQ] > 0 then
      packed, ctx.changed[account_index] = pack_payer(payer), true
    end
    ctx.payers[account_index] = false
    local account = unpack_account(packed)
    states[account_index], ctx.due_before[account_index] = account, account[A_DUE]
    return account
  end,
})
