-- @include "calendar"
-- @include "add_entry"
-- @include "subscriptions"

-- Appends an entry about an agent and the cycle that it is in.
local function add_agent_entry(op_index, kind, account_index, agent, event, wallet, amount, changes)
  add_entry(op_index, kind, account_index, wallet, amount, 0, 0, changes, 0,
    struct.pack(ENTRY_AGENT_TEXT, ctx.at, agent[G_NUMBER], agent[G_ID], agent[G_TIER], event, agent[G_START], agent[G_END], agent[G_PRIORITY]))
end

-- Where a cycle ends: counted from the anchor, so that the 31st comes back after a shorter month.
local function end_of_cycle(agent)
  local units = agent[G_CYCLES] * agent[G_COUNT]
  if agent[G_CALENDAR] == CYCLE_DAYS then return agent[G_ANCHOR] + units * DAY_MS end
  return add_months(agent[G_ANCHOR], units)
end

-- Would a cycle with so many credits of its own be one too many? Whoever suspends and activates begins as many as they like.
local function own_lots_full(account, own)
  local wallet = find_wallet(account, UNIT_CREDITS)
  return own > 0 and wallet and #wallet[W_LOTS] - account_lots(wallet) >= OWN_LOTS_MAX
end

-- The agent's own credits of the cycle that begins. They pay no debt, and only what fits is granted: nobody is there to be refused.
local function grant_own(op_index, account_index, agent, event)
  local account = ctx.states[account_index]
  local wallet = ensure_wallet(account, UNIT_CREDITS)
  local amount = math.min(agent[G_OWN], AMOUNT_MAX - wallet[W_REMAINING])
  local number = account[A_LOTS] + 1
  account[A_LOTS], account[A_NOTED] = number, true
  if amount > 0 then insert_lot(wallet, { number, SOURCE_AGENT_CYCLE, agent[G_PRIORITY], agent[G_END], amount, 0, agent[G_NUMBER] }) end
  add_agent_entry(op_index, ENTRY_AGENT_GRANT, account_index, agent, event, wallet, amount, { number, amount })
end

-- Begins the next cycle, where the last one ended: `cost` is drawn from what the account has available.
-- Returns what is available then.
local function begin_cycle(op_index, account_index, agent, kind, event, cost)
  local wallet, changes = ensure_wallet(ctx.states[account_index], UNIT_CREDITS), {}
  if cost > 0 then draw(wallet, cost, changes) end
  agent[G_STATE] = AGENT_ACTIVE
  agent[G_CYCLES] = agent[G_CYCLES] + 1
  agent[G_START] = agent[G_END]
  agent[G_END] = end_of_cycle(agent)
  agent[G_DUE] = agent[G_END]
  add_agent_entry(op_index, kind, account_index, agent, event, wallet, cost, changes)
  if agent[G_OWN] > 0 then grant_own(op_index, account_index, agent, event) end
  return available(wallet)
end

-- The first cycle begins now.
local function begin_anew(op_index, account_index, agent, kind, event, cost)
  agent[G_ANCHOR], agent[G_CYCLES], agent[G_END] = ctx.now, 0, ctx.now
  local have = begin_cycle(op_index, account_index, agent, kind, event, cost)
  subscription_changed(account_index)
  return have
end

local function suspend_agent(op_index, account_index, agent)
  agent[G_STATE], agent[G_DUE] = AGENT_SUSPENDED, 0
  add_agent_entry(op_index, ENTRY_AGENT_STATUS, account_index, agent, AGENT_EVENT_SUSPENDED, nil, 0, {})
end

-- Renews an agent whose cycle ends or, where something was `granted`, one that could not be paid before: where the account has what it costs, in full
-- or not at all. Else its grace begins when its cycle ends, and it is suspended when its grace ends; at once where the account is closed, which is
-- charged nothing.
local function renew_agent(account_index, agent, granted)
  local account = ctx.states[account_index]
  local closed = account[A_STATUS] == STATUS_CLOSED
  local tried = granted or agent[G_DUE] == agent[G_END]
  if tried and not closed and available(find_wallet(account, UNIT_CREDITS)) >= agent[G_RENEWAL] then
    begin_cycle(0, account_index, agent, ENTRY_AGENT_RENEWAL, AGENT_EVENT_RENEWED, agent[G_RENEWAL])
  elseif agent[G_DUE] <= ctx.at then
    if closed or agent[G_DUE] > agent[G_END] or agent[G_GRACE] == 0 then return suspend_agent(0, account_index, agent) end
    agent[G_DUE] = agent[G_END] + agent[G_GRACE]
    add_agent_entry(0, ENTRY_AGENT_STATUS, account_index, agent, AGENT_EVENT_UNPAID, nil, 0, {})
  end
end

-- Renews what is due at ctx.at and, after a grant, what could not be paid before: agents in the order of their unlocking.
local function renew_agents(account_index, granted)
  local entries = #ctx.entries
  local agents = subscription_of(account_index)[S_AGENTS]
  for i = 1, #agents do
    local agent = agents[i]
    local due = agent[G_DUE]
    if due > 0 and (due <= ctx.at or granted and due > agent[G_END]) then renew_agent(account_index, agent, granted) end
  end
  if #ctx.entries > entries then subscription_changed(account_index) end
end

-- After a call that granted something: what could not be paid before is tried again.
local function retry_renewals(account_index)
  if ctx.states[account_index][A_PLAN_DUE] > 0 then renew_agents(account_index, true) end
end
