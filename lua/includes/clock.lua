-- The one door through which time enters the scripts: Redis' own clock, in milliseconds. Tests and the demo of the policy replace this file.
local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
