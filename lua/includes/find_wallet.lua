-- @include "formats"

local function find_wallet(account, unit)
  local wallets = account[A_WALLETS]
  for i = 1, #wallets do
    if wallets[i][W_UNIT] == unit then return wallets[i] end
  end
end
