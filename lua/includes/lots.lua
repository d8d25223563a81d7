-- @include "account_pack"
-- @include "find_wallet"

-- Is lot `a` burnt before lot `b`? Priority, soonest expiry (0 = never, last), lowest number. Those of agents stand behind the account's own.
local function burns_before(a, b)
  if a[L_OWNER] ~= b[L_OWNER] then return (a[L_OWNER] or 0) < (b[L_OWNER] or 0) end
  if a[L_PRIORITY] ~= b[L_PRIORITY] then return a[L_PRIORITY] < b[L_PRIORITY] end
  local a_expires, b_expires = a[L_EXPIRES], b[L_EXPIRES]
  if a_expires ~= b_expires then
    if a_expires == 0 then return false end
    return b_expires == 0 or a_expires < b_expires
  end
  return a[L_ID] < b[L_ID]
end

local function insert_lot(wallet, lot)
  local lots = wallet[W_LOTS]
  local place = #lots + 1
  while place > 1 and burns_before(lot, lots[place - 1]) do place = place - 1 end
  table.insert(lots, place, lot)
  wallet[W_REMAINING] = wallet[W_REMAINING] + lot[L_REMAINING]
  if lot[L_OWNER] then wallet[W_OWN] = wallet[W_OWN] + lot[L_REMAINING] - lot[L_HELD] end
end

-- Gives a lot another expiry; it burns in another order from then on.
local function move_expiry(wallet, lot, expires)
  local lots = wallet[W_LOTS]
  for i = 1, #lots do
    if lots[i] == lot then
      table.remove(lots, i)
      break
    end
  end
  wallet[W_REMAINING] = wallet[W_REMAINING] - lot[L_REMAINING]
  if lot[L_OWNER] then wallet[W_OWN] = wallet[W_OWN] - lot[L_REMAINING] + lot[L_HELD] end
  lot[L_EXPIRES] = expires
  insert_lot(wallet, lot)
end

local function find_lot(wallet, id)
  local lots = wallet[W_LOTS]
  for i = 1, #lots do
    if lots[i][L_ID] == id then return lots[i] end
  end
end

-- The account's wallet of a unit, made where it is missing; wallets stay ordered by unit.
local function ensure_wallet(account, unit)
  local wallet = find_wallet(account, unit)
  if wallet then return wallet end
  wallet = { unit, 0, {}, 0, 0, 0 }
  local wallets = account[A_WALLETS]
  local place = #wallets + 1
  while place > 1 and wallets[place - 1][W_UNIT] > unit do place = place - 1 end
  table.insert(wallets, place, wallet)
  return wallet
end

-- What an agent has of its own in a wallet.
local function own_available(wallet, agent)
  local sum, lots, number = 0, wallet[W_LOTS], agent[G_NUMBER]
  for i = #lots, 1, -1 do
    local lot = lots[i]
    if not lot[L_OWNER] then break end
    if lot[L_OWNER] == number then sum = sum + lot[L_REMAINING] - lot[L_HELD] end
  end
  return sum
end

-- What is available to the account or, where one is given, to an agent: its own, and the account's if it draws on it. 0 in a wallet that was
-- never used; lots that are due have been expired before anybody asks. The sums stay below 2^53 because grants keep them there.
local function available(wallet, agent)
  if not wallet then return 0 end
  local of_account = wallet[W_REMAINING] - wallet[W_HELD] - wallet[W_OWN]
  if not agent then return of_account end
  return own_available(wallet, agent) + (agent[G_DRAWS] == 1 and of_account or 0)
end

-- How many lots of the account a wallet has.
local function account_lots(wallet)
  local lots = wallet[W_LOTS]
  local count = #lots
  while count > 0 and lots[count][L_OWNER] do count = count - 1 end
  return count
end

-- Changes a lot's remaining and its wallet's sum.
local function add_remaining(wallet, lot, change)
  lot[L_REMAINING] = lot[L_REMAINING] + change
  wallet[W_REMAINING] = wallet[W_REMAINING] + change
  if lot[L_OWNER] then wallet[W_OWN] = wallet[W_OWN] + change end
end

-- Changes a lot's held and its wallet's sum.
local function add_held(wallet, lot, change)
  lot[L_HELD] = lot[L_HELD] + change
  wallet[W_HELD] = wallet[W_HELD] + change
  if lot[L_OWNER] then wallet[W_OWN] = wallet[W_OWN] - change end
end

-- Appends a (lot, amount) pair, or adds to the last one where it is of the same lot.
local function append_pair(pairs_list, id, amount)
  local last = #pairs_list
  if last > 0 and pairs_list[last - 1] == id then
    pairs_list[last] = pairs_list[last] + amount
  else
    pairs_list[last + 1] = id
    pairs_list[last + 2] = amount
  end
end

-- Lots with nothing remaining leave the state.
local function drop_empty_lots(wallet)
  local lots = wallet[W_LOTS]
  for i = #lots, 1, -1 do
    if lots[i][L_REMAINING] == 0 then table.remove(lots, i) end
  end
end

-- Takes up to `left` of what the lots of one owner (nil: the account) have available, in burn-down order; appends (lot, -taken) to `changes`.
-- Returns what is still missing.
local function draw_from(wallet, owner, left, changes)
  local emptied = false
  local lots = wallet[W_LOTS]
  for i = 1, #lots do
    local lot = lots[i]
    if left == 0 or lot[L_OWNER] and not owner then break end
    local free = lot[L_REMAINING] - lot[L_HELD]
    if free > 0 and lot[L_OWNER] == owner then
      local taken = free < left and free or left
      add_remaining(wallet, lot, -taken)
      left = left - taken
      append_pair(changes, lot[L_ID], -taken)
      emptied = emptied or lot[L_REMAINING] == 0
    end
  end
  if emptied then drop_empty_lots(wallet) end
  return left
end

-- Takes up to `amount` of what is available to the account, or to an agent: its own first. Appends (lot, -taken) to `changes`. Returns what was
-- missing.
local function draw(wallet, amount, changes, agent)
  local first = wallet[W_LOTS][1]
  if first and first[L_REMAINING] - first[L_HELD] > amount and not agent and not first[L_OWNER] and not changes[1] then
    -- By far the most frequent case: the first lot has more than enough.
    add_remaining(wallet, first, -amount)
    changes[1], changes[2] = first[L_ID], -amount
    return 0
  end
  if not agent then return draw_from(wallet, nil, amount, changes) end
  local left = draw_from(wallet, agent[G_NUMBER], amount, changes)
  return agent[G_DRAWS] == 1 and draw_from(wallet, nil, left, changes) or left
end

local function set_aside_from(wallet, owner, left, parts)
  for _, lot in ipairs(wallet[W_LOTS]) do
    if left == 0 then break end
    local free = lot[L_REMAINING] - lot[L_HELD]
    if free > 0 and lot[L_OWNER] == owner then
      local taken = free < left and free or left
      add_held(wallet, lot, taken)
      left = left - taken
      append_pair(parts, lot[L_ID], taken)
    end
  end
  return left
end

-- Sets `amount` (known to be available to the account, or to an agent: its own first) aside, in burn-down order; appends (lot, amount) to `parts`.
local function set_aside(wallet, amount, parts, agent)
  local left = amount
  if agent then left = set_aside_from(wallet, agent[G_NUMBER], left, parts) end
  set_aside_from(wallet, nil, left, parts)
end

-- When the account is due: its subscription, or the soonest expiry of a lot of which something could still expire; 0: never.
local function soonest_due(account)
  local due = account[A_PLAN_DUE]
  for _, wallet in ipairs(account[A_WALLETS]) do
    for _, lot in ipairs(wallet[W_LOTS]) do due = due_with(due, lot) end
  end
  return due
end
