-- rf.lua: what radio figures mean. A figure that is missing (nil) is "unknown", or nil where a number is the answer.
--
--   rf.signal(rssi)                 "excellent" from -55 dBm, "good" from -67, "fair" from -70, "weak" from -80, else "unusable"
--   rf.clarity(snr)                 "excellent" from 40 dB, "good" from 25, "fair" from 20, "weak" from 10, else "unusable"
--   rf.snr(rssi, noise_floor)       dB between signal and noise, both in dBm
--   rf.retry_ratio(retries, sent)   part of the frames that had to be sent again, 0..1; nil when none were sent or a counter went back
--   rf.retries(ratio)               "normal" up to 0.10, "high" up to 0.20, else "very high"
--   rf.air_time(percent)            "free" below 50, "busy" below 80, else "full"
--   rf.busiest(radio)               what takes most of the air time: "its own clients", "other Wi-Fi networks", "what is not Wi-Fi"
--   rf.band(name)                   "24", "5", "6" as "2.4 GHz", "5 GHz", "6 GHz"
--   rf.interference(level)          whether a level in dBm is above the runbook's -70

local M = {}

local function number(where, value)
  if type(value) ~= "number" then
    error(string.format("%s needs a number, and was given %s", where, type(value)), 0)
  end
  return value
end

-- The first word whose floor the value reaches; the last word where it reaches none.
local function word(where, value, floors, last)
  if value == nil then return "unknown" end
  number(where, value)
  for _, step in ipairs(floors) do
    if value >= step[1] then return step[2] end
  end
  return last
end

local signals = { { -55, "excellent" }, { -67, "good" }, { -70, "fair" }, { -80, "weak" } }
local clarities = { { 40, "excellent" }, { 25, "good" }, { 20, "fair" }, { 10, "weak" } }
local air_times = { { 80, "full" }, { 50, "busy" } }

function M.signal(rssi)
  return word("rf.signal", rssi, signals, "unusable")
end

function M.clarity(snr)
  return word("rf.clarity", snr, clarities, "unusable")
end

function M.air_time(percent)
  return word("rf.air_time", percent, air_times, "free")
end

function M.snr(rssi, noise_floor)
  if rssi == nil or noise_floor == nil then return nil end
  return number("rf.snr", rssi) - number("rf.snr", noise_floor)
end

-- One frame may be sent again several times, so that there may be more retries than frames.
function M.retry_ratio(retries, sent)
  if retries == nil or sent == nil then return nil end
  number("rf.retry_ratio", retries)
  number("rf.retry_ratio", sent)
  if sent <= 0 or retries < 0 then return nil end
  return math.min(retries / sent, 1.0)
end

function M.retries(ratio)
  if ratio == nil then return "unknown" end
  number("rf.retries", ratio)
  if ratio <= 0.10 then return "normal" end
  return ratio <= 0.20 and "high" or "very high"
end

local shares = {
  { "its own clients", { "util_tx", "util_rx_in_bss" } },
  { "other Wi-Fi networks", { "util_rx_other_bss", "util_unknown_wifi" } },
  { "what is not Wi-Fi", { "util_non_wifi", "util_undecodable_wifi" } },
}

function M.busiest(radio)
  local most, answer = 0, nil
  if radio == nil then return "unknown" end
  for _, share in ipairs(shares) do
    local sum = 0
    for _, field in ipairs(share[2]) do
      sum = sum + (has(radio, field) and radio[field] or 0)
    end
    if sum > most then
      most, answer = sum, share[1]
    end
  end
  return answer or "unknown"
end

local bands = { ["24"] = "2.4 GHz", ["2.4"] = "2.4 GHz", ["5"] = "5 GHz", ["6"] = "6 GHz" }

function M.band(name)
  if name == nil then return "unknown" end
  return bands[tostring(name)] or tostring(name)
end

function M.interference(level)
  if level == nil then return false end
  return number("rf.interference", level) > -70
end

return M
