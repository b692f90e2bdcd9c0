-- thresholds.lua: figures against a warning and a critical level. Levels are crossed, not reached: 40 clients are fine, 41 are not.
--
--   thresholds.level(value, warning, critical)   "ok", "warning" or "critical"; "unknown" for nil. With critical below warning, less is worse
--   thresholds.runbook(name, value)              the same with the runbook's levels, see below
--   thresholds.warning(name), .critical(name)    those levels; nil where the runbook has none
--   thresholds.names()                           the names that it has levels for
--   thresholds.worst(levels)                     the worst of a list of levels
--   thresholds.is_worse(level, than)             whether "critical" is worse than "warning", and so on
--
-- The runbook's: ap_clients (40, 50), bandwidth (70 %, 85 %), switch_ports (80 %, 90 %), internet_circuit (70 %, 85 %),
-- utilisation (80 %), auth_failures (10 %), time_to_connect (10 s, 30 s), roaming_success (95 %, 90 %), mbps_per_user (50, 25),
-- availability (99.9 %, 99 %), interference (-70 dBm).

local M = {}

local order = { ok = 1, unknown = 2, warning = 3, critical = 4 }

local runbook = {
  ap_clients = { warning = 40, critical = 50 },
  bandwidth = { warning = 70, critical = 85 },
  switch_ports = { warning = 80, critical = 90 },
  internet_circuit = { warning = 70, critical = 85 },
  utilisation = { warning = 80 },
  auth_failures = { warning = 10 },
  time_to_connect = { warning = 10, critical = 30 },
  roaming_success = { warning = 95, critical = 90 },
  mbps_per_user = { warning = 50, critical = 25 },
  availability = { warning = 99.9, critical = 99 },
  interference = { warning = -70 },
}

function M.level(value, warning, critical)
  if value == nil then return "unknown" end
  local less_is_worse = warning ~= nil and critical ~= nil and critical < warning
  local function crossed(limit)
    if limit == nil then return false end
    if less_is_worse then return value < limit end
    return value > limit
  end
  if crossed(critical) then return "critical" end
  return crossed(warning) and "warning" or "ok"
end

local function levels_of(name)
  return runbook[name] or error(string.format("thresholds: the runbook has no levels for '%s'", tostring(name)), 0)
end

function M.runbook(name, value)
  local levels = levels_of(name)
  return M.level(value, levels.warning, levels.critical)
end

function M.warning(name)
  return levels_of(name).warning
end

function M.critical(name)
  return levels_of(name).critical
end

function M.names()
  local names = list {}
  for name in pairs(runbook) do
    names[#names + 1] = name
  end
  return names
end

local function rank(level)
  return order[level] or error(string.format("thresholds: '%s' is no level", tostring(level)), 0)
end

function M.is_worse(level, than)
  return rank(level) > rank(than)
end

function M.worst(levels)
  local worst = "ok"
  for _, level in ipairs(levels) do
    if rank(level) > rank(worst) then worst = level end
  end
  return worst
end

return M
