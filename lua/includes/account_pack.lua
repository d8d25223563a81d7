-- @include "formats"

-- One wallet with one lot is by far the most frequent account: the same layout, packed and unpacked at once.
local function pack_account(account)
  local wallets = account[A_WALLETS]
  local first = wallets[1]
  if #wallets == 1 and #first[W_LOTS] == 1 then
    local lot = first[W_LOTS][1]
    return struct.pack(ACCOUNT_ONE_LOT, account[1], account[2], account[3], account[4], account[5], account[6], account[7], account[8],
      account[9], 1, first[W_UNIT], first[W_DEBT], 1, lot[1], lot[2], lot[3], lot[4], lot[5], lot[6])
  end
  local packed = struct.pack(ACCOUNT, account[1], account[2], account[3], account[4], account[5], account[6], account[7],
    account[8], account[9], #wallets)
  for w = 1, #wallets do
    local wallet = wallets[w]
    local lots = wallet[W_LOTS]
    packed = packed .. struct.pack(WALLET, wallet[W_UNIT], wallet[W_DEBT], #lots)
    for l = 1, #lots do
      local lot = lots[l]
      packed = packed .. struct.pack(LOT, lot[1], lot[2], lot[3], lot[4], lot[5], lot[6])
    end
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
      return { a1, a2, a3, a4, a5, a6, a7, a8, a9, { { unit, debt, { { l1, l2, l3, l4, l5, l6 } }, l5, l6 } }, due }
    end
  end
  local account = { struct.unpack(ACCOUNT, packed) }
  local wallets, place, due = {}, account[A_WALLETS + 1], account[A_PLAN_DUE]
  for w = 1, account[A_WALLETS] do
    local unit, debt, count
    unit, debt, count, place = struct.unpack(WALLET, packed, place)
    local lots, remaining, held = {}, 0, 0
    for l = 1, count do
      local lot = { struct.unpack(LOT, packed, place) }
      remaining, held = remaining + lot[L_REMAINING], held + lot[L_HELD]
      local expires = lot[L_EXPIRES]
      if expires > 0 and lot[L_REMAINING] > lot[L_HELD] and (due == 0 or expires < due) then due = expires end
      place = lot[7]
      lots[l] = lot
    end
    wallets[w] = { unit, debt, lots, remaining, held }
  end
  account[A_WALLETS], account[A_DUE] = wallets, due
  return account
end
