-- client_words.lua: what to say of a wireless client, in one line for a person. Every function takes results of actions as they are
-- and copes with fields that are missing.
--
--   client_words.association(status)            of mist.client_status
--   client_words.events(events)                 of mist.client_events
--   client_words.authentication(auth, events)   of ise.auth_status, with the client's events
--   client_words.lease(lease, events)           of dhcp.lease
--   client_words.health(status, radio)          of mist.client_status and one radio of mist.device_status
--   client_words.radio(device, band)            the radio of mist.device_status that serves the band ("24", "5", "6"); nil if it is off
--   client_words.retries(status)                the larger share of frames sent again, 0..1; nil if there were none
--   client_words.minutes(seconds)               "4 min", "2 h", "3 d"

--   client_words.bullets(list)                  one line a text, "- " in front of each

local M = {}

function M.minutes(seconds)
  if not seconds then return "an unknown time" end
  if seconds < 60 then return string.format("%d s", math.floor(seconds)) end
  if seconds < 5400 then return string.format("%d min", math.floor(seconds / 60)) end
  if seconds < 172800 then return string.format("%d h", math.floor(seconds / 3600)) end
  return string.format("%d d", math.floor(seconds / 86400))
end

local bands = { ["24"] = "2.4 GHz", ["5"] = "5 GHz", ["6"] = "6 GHz" }

function M.association(s)
  if not s.known then return "no: Mist has never seen this client" end
  if s.associated then
    return string.format("yes, %s (%s, ch %s) for %s", s.ap_name or s.ap_mac or "an AP", bands[s.band] or "band ?", tostring(s.channel or "?"), M.minutes(s.connected_s))
  end
  return string.format("no, last on %s (%s)", s.last_ap_name or s.last_ap_mac or "an unknown AP", s.last_ap_status or "state unknown")
end

function M.events(e)
  local parts = {}
  local function add(n, what)
    if n and n > 0 then parts[#parts + 1] = string.format("%d %s", math.floor(n), what) end
  end
  add(e.association_failures, "association failures")
  add(e.auth_failures, "authentication failures")
  add(e.dhcp_failures, "DHCP failures")
  add(e.dhcp_naks, "DHCP refusals (NAK)")
  add(e.dns_failures, "DNS failures")
  add(e.arp_failures, "ARP failures")
  add(e.roam_failures, "failed roams")
  if #parts == 0 then return string.format("nothing bad in %d events", math.floor(e.total or 0)) end
  return table.concat(parts, ", ")
end

function M.authentication(a, e)
  if a.found and a.passed then
    return string.format("yes, %s, permitted by \"%s\"", a.auth_protocol or a.auth_method or "802.1X", a.authorization_rule or a.authorization_profile or "a rule")
  end
  if a.found then return string.format("no: %s", a.failure_reason or "rejected") end
  if e and e.auth_failures and e.auth_failures > 0 then return "no: Mist saw failures, ISE saw no attempt" end
  return "nothing at ISE (not an 802.1X network, or no attempt lately)"
end

function M.lease(l, e)
  if l.found and not l.expired then return string.format("yes, %s, renewed %s ago", l.ip or "an address", M.minutes(l.age_s)) end
  local n = e and ((e.dhcp_failures or 0) + (e.dhcp_naks or 0)) or 0
  if n > 0 then return string.format("no: %d DHCP failures", math.floor(n)) end
  return l.found and "no: the lease has ended" or "no lease at the DHCP server"
end

function M.radio(device, band)
  local radios = device.radios
  if not radios or not band then return nil end
  return radios["band_" .. band]
end

function M.retries(s)
  local tx, rx = s.tx_retries_ratio, s.rx_retries_ratio
  if tx and rx then return math.max(tx, rx) end
  return tx or rx
end

function M.health(s, radio)
  local retries = M.retries(s)
  local text = string.format("RSSI %s dBm, SNR %s dB", s.rssi and math.floor(s.rssi) or "?", s.snr and math.floor(s.snr) or "?")
  if retries then text = text .. string.format(", retries %d %%", math.floor(retries * 100 + 0.5)) end
  if radio and radio.util_all then text = text .. string.format(", channel %s %d %% busy", tostring(radio.channel or "?"), math.floor(radio.util_all + 0.5)) end
  return text
end

function M.bullets(list)
  local lines = {}
  for i, text in ipairs(list) do lines[i] = "- " .. tostring(text) end
  return table.concat(lines, "\n")
end

return M
