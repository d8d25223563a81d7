-- @include "formats"

local function pack_lot(lot)
  local packed = struct.pack(LOT, lot[1], lot[2], lot[3], lot[4], lot[5], lot[6])
  return lot[L_OWNER] and packed .. struct.pack(LOT_OWNER, lot[L_OWNER]) or packed
end

-- Joined at once: text that grows by a lot at a time is copied each time, 50 ms for a thousand lots.
local function pack_lots(lots)
  if #lots == 1 then return pack_lot(lots[1]) end
  local packed = {}
  for i = 1, #lots do packed[i] = pack_lot(lots[i]) end
  return table.concat(packed)
end

-- One wallet with one lot is by far the most frequent account: the same layout, packed and unpacked at once.
local function pack_account(account)
  local wallets = account[A_WALLETS]
  local first = wallets[1]
  local lot = #wallets == 1 and #first[W_LOTS] == 1 and account[A_SPECIAL] == 0 and first[W_LOTS][1]
  if lot and not lot[L_OWNER] then
    return struct.pack(ACCOUNT_ONE_LOT, account[1], account[2], account[3], account[4], account[5], account[6], account[7], account[8],
      account[9], 1, first[W_UNIT], first[W_DEBT], 1, lot[1], lot[2], lot[3], lot[4], lot[5], lot[6])
  end
  local packed = struct.pack(ACCOUNT, account[1], account[2], account[3], account[4], account[5], account[6], account[7],
    account[8], account[9], #wallets + account[A_SPECIAL])
  for w = 1, #wallets do
    local wallet = wallets[w]
    local lots = wallet[W_LOTS]
    packed = packed .. struct.pack(WALLET, wallet[W_UNIT], wallet[W_DEBT], #lots) .. pack_lots(lots)
  end
  return packed
end

local ONE_LOT_BYTES = struct.size(ACCOUNT_ONE_LOT)

local function unpack_account(packed)
  if #packed == ONE_LOT_BYTES then
    local a1, a2, a3, a4, a5, a6, a7, a8, a9, wallets, unit, debt, lots, l1, l2, l3, l4, l5, l6 =
      struct.unpack(ACCOUNT_ONE_LOT, packed)
    if wallets == 1 and lots == 1 then
      local due = a9
      if l4 > 0 and l5 > l6 and (due == 0 or l4 < due) then due = l4 end
      return { a1, a2, a3, a4, a5, a6, a7, a8, a9, { { unit, debt, { { l1, l2, l3, l4, l5, l6 } }, l5, l6, 0 } }, due, 0, false }
    end
  end
  local account = { struct.unpack(ACCOUNT, packed) }
  local wallets, place, due = {}, account[A_WALLETS + 1], account[A_PLAN_DUE]
  local count = account[A_WALLETS]
  local special = count >= WALLETS_SPECIAL and WALLETS_SPECIAL or 0
  local noted = special > 0
  for w = 1, count - special do
    local unit, debt, lots_count
    unit, debt, lots_count, place = struct.unpack(WALLET, packed, place)
    local lots, remaining, held, own = {}, 0, 0, 0
    for l = 1, lots_count do
      local lot = { struct.unpack(LOT, packed, place) }
      place = lot[7]
      lot[L_OWNER] = nil
      remaining, held = remaining + lot[L_REMAINING], held + lot[L_HELD]
      if lot[L_SOURCE] == SOURCE_AGENT_CYCLE then
        lot[L_OWNER], place = struct.unpack(LOT_OWNER, packed, place)
        own, noted = own + lot[L_REMAINING] - lot[L_HELD], true
      end
      local expires = lot[L_EXPIRES]
      if expires > 0 and lot[L_REMAINING] > lot[L_HELD] and (due == 0 or expires < due) then due = expires end
      lots[l] = lot
    end
    wallets[w] = { unit, debt, lots, remaining, held, own }
  end
  account[A_WALLETS], account[A_DUE], account[A_SPECIAL], account[A_NOTED] = wallets, due, special, noted
  return account
end
