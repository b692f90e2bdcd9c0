-- timeutil.lua: times and durations. Times are seconds since 1970, UTC. Nothing here asks what time it is: `run.started_at`, or a
-- result's own time, says so.
--
--   timeutil.epoch(time)         seconds, from seconds, milliseconds, microseconds or "2026-11-21T02:13:05Z"; nil for nil
--   timeutil.age(time, now)      how long ago, in one word and unit: "4 min"; both as for epoch
--   timeutil.span(seconds)       "250 ms", "6 s", "2 min 14 s", "4 h 3 min", "3 d 2 h"
--   timeutil.seconds(duration)   a playbook's duration, "1.5h", as seconds: 5400
--   timeutil.text(time)          "2026-11-21 02:13:05 UTC"

local M = {}

local units = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, w = 604800 }

-- Days since 1970 of a date of the Gregorian calendar. A year begins in March here, so that the leap day is its last.
local function days_of(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local century = year // 100
  return 365 * year + year // 4 - century + century // 4 + (153 * (month - 3) + 2) // 5 + day - 719469
end

-- The same backwards, from a year that is not too late.
local function date_of(days)
  local year = 1970 + (days >= 0 and days // 366 or days // 365)
  while days_of(year + 1, 1, 1) <= days do
    year = year + 1
  end
  local month = 1
  while month < 12 and days_of(year, month + 1, 1) <= days do
    month = month + 1
  end
  return year, month, days - days_of(year, month, 1) + 1
end

-- "Z", "+01:00" or nothing as seconds to take off; nil when it is none of them.
local function offset_of(zone)
  if zone == "" or zone == "Z" or zone == "z" then return 0 end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign then return nil end
  return (sign == "-" and -1 or 1) * (tonumber(hours) * 3600 + tonumber(minutes) * 60)
end

local function parse(text)
  local year, month, day, hour, minute, second, zone = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)[Tt ](%d%d):(%d%d):(%d%d%.?%d*) ?(.*)$")
  local offset = zone and offset_of(zone)
  if not offset then error(string.format("timeutil: '%s' is no time, such as 2026-11-21T02:13:05Z", text:sub(1, 40)), 0) end
  local days = days_of(tonumber(year), tonumber(month), tonumber(day))
  return days * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second) - offset
end

function M.epoch(time)
  if time == nil then return nil end
  if type(time) == "string" then return parse(time) end
  if math.abs(time) >= 1e14 then return time / 1000000 end
  if math.abs(time) >= 1e11 then return time / 1000 end
  return time
end

local function one_unit(seconds)
  if seconds < 60 then return string.format("%d s", math.floor(seconds)) end
  if seconds < 3600 then return string.format("%d min", math.floor(seconds / 60)) end
  if seconds < 172800 then return string.format("%d h", math.floor(seconds / 3600)) end
  return string.format("%d d", math.floor(seconds / 86400))
end

function M.age(time, now)
  local from, to = M.epoch(time), M.epoch(now)
  if from == nil or to == nil then return "an unknown time" end
  return one_unit(math.max(to - from, 0))
end

local function two_units(big, big_unit, small, small_unit)
  if small == 0 then return string.format("%d %s", big, big_unit) end
  return string.format("%d %s %d %s", big, big_unit, small, small_unit)
end

function M.span(seconds)
  if seconds == nil then return "an unknown time" end
  if seconds < 1 then return string.format("%d ms", math.floor(math.max(seconds, 0) * 1000)) end
  local whole = math.floor(seconds + 0.5)
  if whole < 60 then return string.format("%d s", whole) end
  if whole < 3600 then return two_units(whole // 60, "min", whole % 60, "s") end
  local minutes = (whole + 30) // 60
  if minutes < 1440 then return two_units(minutes // 60, "h", minutes % 60, "min") end
  local hours = (minutes + 30) // 60
  return two_units(hours // 24, "d", hours % 24, "h")
end

function M.seconds(duration)
  if duration == nil then return nil end
  local figure, unit = tostring(duration):match("^(%d+%.?%d*)(%a+)$")
  if not figure or not units[unit] then
    error(string.format("timeutil: '%s' is no duration, such as 30s, 5m or 1.5h", tostring(duration):sub(1, 40)), 0)
  end
  return tonumber(figure) * units[unit]
end

function M.text(time)
  local seconds = M.epoch(time)
  if seconds == nil then return "an unknown time" end
  local whole = math.floor(seconds)
  local year, month, day = date_of(whole // 86400)
  local rest = whole % 86400
  return string.format("%04d-%02d-%02d %02d:%02d:%02d UTC", year, month, day, rest // 3600, rest % 3600 // 60, rest % 60)
end

return M
