-- @include "formats"

-- Days from 1970-01-01 to a civil date of the proleptic Gregorian calendar, and back. The year begins in March, so that a leap day
-- is its last (http://howardhinnant.github.io/date_algorithms.html).
local function days_from_civil(year, month, day)
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local year_of_era = y - era * 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  return era * 146097 + year_of_era * 365 + math.floor(year_of_era / 4) - math.floor(year_of_era / 100) + day_of_year - 719468
end

local function civil_from_days(days)
  local shifted = days + 719468
  local era = math.floor(shifted / 146097)
  local day_of_era = shifted - era * 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local shifted_month = math.floor((5 * day_of_year + 2) / 153)
  local month = (shifted_month + 2) % 12 + 1
  local year = year_of_era + era * 400
  return month <= 2 and year + 1 or year, month, day_of_year - math.floor((153 * shifted_month + 2) / 5) + 1
end

-- The same time of the day so many months later, UTC; on the month's last day where it has no such day.
local function add_months(ms, months)
  local days = math.floor(ms / DAY_MS)
  local year, month, day = civil_from_days(days)
  local sum = month - 1 + months
  year, month = year + math.floor(sum / 12), sum % 12 + 1
  local next_year, next_month = month == 12 and year + 1 or year, month % 12 + 1
  local length = days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
  return days_from_civil(year, month, math.min(day, length)) * DAY_MS + ms - days * DAY_MS
end
