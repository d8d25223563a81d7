-- @include "formats"

local function pack_lot(lot)
  local packed = struct.pack(LOT, lot[1], lot[2], lot[3], lot[4], lot[5], lot[6])
  return lot[L_OWNER] and packed .. struct.pack(LOT_OWNER, lot[L_OWNER]) or packed
end

-- When something is due, where `due` was the soonest so far (0: never) and a lot expires while something of it could.
local function due_with(due, lot)
  local expires = lot[L_EXPIRES]
  if expires > 0 and lot[L_REMAINING] > lot[L_HELD] and (due == 0 or expires < due) then return expires end
  return due
end

-- One wallet with one lot is by far the most frequent account: the same layout, packed and unpacked at once.
local function pack_account(account)
  local wallets, due = account[A_WALLETS], account[A_PLAN_DUE]
  local first = wallets[1]
  local lot = #wallets == 1 and #first[W_LOTS] == 1 and account[A_SPECIAL] == 0 and first[W_LOTS][1]
  if lot and not lot[L_OWNER] then
    return struct.pack(ACCOUNT_ONE_LOT, account[1], account[2], account[3], account[4], account[5], account[6], account[7], account[8],
      due_with(due, lot), account[10], 1, first[W_UNIT], first[W_DEBT], 0, 0, 1, lot[1], lot[2], lot[3], lot[4], lot[5], lot[6])
  end
  local packed, noted = {}, account[A_SPECIAL] > 0
  for w = 1, #wallets do
    local wallet = wallets[w]
    local lots, remaining, held = wallet[W_LOTS], 0, 0
    -- Joined at once: text that grows by a lot at a time is copied each time, 50 ms for a thousand lots.
    packed[#packed + 1] = ''
    local place = #packed
    for l = 1, #lots do
      lot = lots[l]
      packed[#packed + 1], due, noted = pack_lot(lot), due_with(due, lot), noted or lot[L_OWNER] ~= nil
      if l > 1 then remaining, held = remaining + lot[L_REMAINING], held + lot[L_HELD] end
    end
    packed[place] = struct.pack(WALLET, wallet[W_UNIT], wallet[W_DEBT], remaining, held, #lots)
  end
  return struct.pack(ACCOUNT, account[1], account[2], account[3], account[4], account[5], account[6], account[7], account[8],
    due, account[10], #wallets + account[A_SPECIAL] + (noted and WALLETS_NOTED or 0)) .. table.concat(packed)
end

local function unpack_account(packed)
  if #packed == ONE_LOT_BYTES then
    local a1, a2, a3, a4, a5, a6, a7, a8, due, a10, wallets, unit, debt, _, _, lots, l1, l2, l3, l4, l5, l6 =
      struct.unpack(ACCOUNT_ONE_LOT, packed)
    if wallets == 1 and lots == 1 then
      return { a1, a2, a3, a4, a5, a6, a7, a8, due, a10, { { unit, debt, { { l1, l2, l3, l4, l5, l6 } }, l5, l6, 0 } }, 0, false }
    end
  end
  local account = { struct.unpack(ACCOUNT, packed) }
  local count, place = account[A_WALLETS], account[A_WALLETS + 1]
  local special = count >= WALLETS_SPECIAL and WALLETS_SPECIAL or 0
  local noted = count - special >= WALLETS_NOTED
  local wallets = {}
  for w = 1, count % WALLETS_NOTED do
    local unit, debt, lots_count, _
    unit, debt, _, _, lots_count, place = struct.unpack(WALLET, packed, place)
    local lots, remaining, held, own = {}, 0, 0, 0
    for l = 1, lots_count do
      local lot = { struct.unpack(LOT, packed, place) }
      place = lot[7]
      lot[L_OWNER] = nil
      remaining, held = remaining + lot[L_REMAINING], held + lot[L_HELD]
      if lot[L_SOURCE] == SOURCE_AGENT_CYCLE then
        lot[L_OWNER], place = struct.unpack(LOT_OWNER, packed, place)
        own = own + lot[L_REMAINING] - lot[L_HELD]
      end
      lots[l] = lot
    end
    wallets[w] = { unit, debt, lots, remaining, held, own }
  end
  account[A_WALLETS], account[A_SPECIAL], account[A_NOTED] = wallets, special, noted
  return account
end
