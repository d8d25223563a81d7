-- @include "add_entry"

-- Expires what is available of every lot whose time is reached; one entry a lot; once for each
-- account and batch. Held parts stay until their holds end.
local function expire_due_lots(account_index)
  ctx.touched[account_index] = true
  local account = ctx.states[account_index]
  if not account or account[A_DUE] == 0 or account[A_DUE] > ctx.now then return end
  for _, wallet in ipairs(account[A_WALLETS]) do
    for _, lot in ipairs(wallet[W_LOTS]) do
      local free = lot[L_REMAINING] - lot[L_HELD]
      if free > 0 and lot[L_EXPIRES] > 0 and lot[L_EXPIRES] <= ctx.now then
        add_remaining(wallet, lot, -free)
        add_entry(0, ENTRY_LOT_EXPIRED, account_index, wallet, free, 0, 0, { lot[L_ID], -free })
      end
    end
    drop_empty_lots(wallet)
  end
  account[A_DUE] = soonest_due(account)
end
