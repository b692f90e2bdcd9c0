# The Mist API of the lab: who may ask, both paging styles, errors, and the shapes of what is answered.
. "$(dirname "$0")/lib.sh"
client=a483e7123456

has_keys() {                          # what, JSON, keys …
    local what=$1 json=$2
    shift 2
    for key in "$@"; do holds "$what has $key" "$json" "has(\"$key\")"; done
}

lab_start healthy

# --- who may ask, and what there is
is "no token" "$(curl -s -w '%{http_code}' "$url/api/v1/self")" '{"detail":"Authentication credentials were not provided."}401'
is "wrong token" "$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Token nonsense' "$url/api/v1/self")" 401
holds "self" "$(mist /self)" '.privileges[0].role == "admin"'
is "unknown path" "$(mist_status /nowhere)" 404
is "unknown org" "$(mist_status /orgs/11111111-2222-4333-8444-555555555555/sites)" 404
is "unknown site" "$(mist_status /sites/11111111-2222-4333-8444-555555555555)" 404
is "unknown client" "$(mist_status "/sites/$site/stats/clients/001122334455")" 404
is "unknown device" "$(mist_status "/sites/$site/stats/devices/00000000-0000-0000-1000-001122334455")" 404
is "wrong method" "$(mist_status /self -X POST)" 405
like "broken JSON" "$(mist "/sites/$site/rrm/optimize" -d '{"bands"')" '"detail":"JSON parse error - '
is "broken JSON's status" "$(mist_status "/sites/$site/rrm/optimize" -d '{"bands"')" 400
is "bands missing" "$(mist_status "/sites/$site/rrm/optimize" -d '{}')" 400
is "limit that is none" "$(mist_status "/orgs/$org/sites?limit=x")" 400
is "duration that is none" "$(mist_status "/orgs/$org/clients/search?duration=x")" 400

# --- paging in pages
headers=$(mist "/orgs/$org/stats/devices?limit=4&page=2" -D - -o "$scratch/page2")
like "limit header" "$headers" 'X-Page-Limit: 4'
like "page header" "$headers" 'X-Page-Page: 2'
like "total header" "$headers" 'X-Page-Total: 6'
holds "second page" "$(cat "$scratch/page2")" 'length == 2'
holds "page behind the end" "$(mist "/orgs/$org/stats/devices?limit=4&page=3")" '. == []'

# --- paging by cursor
next="/orgs/$org/clients/search?limit=15" macs= pages=0
while [ -n "$next" ] && [ $pages -lt 10 ]; do
    answer=$(mist "$next")
    macs="$macs $(jq -r '.results[].mac' <<<"$answer")"
    next=$(jq -r '.next // "" | ltrimstr("/api/v1")' <<<"$answer")
    pages=$((pages + 1))
done
is "pages" $pages 3
is "clients over all pages, each once" "$(tr ' ' '\n' <<<"$macs" | grep -c .) $(tr ' ' '\n' <<<"$macs" | grep . | sort -u | wc -l)" "41 41"
holds "cursor's frame" "$(mist "/orgs/$org/clients/search?limit=15")" '.limit == 15 and .total == 41 and (.results | length) == 15 and .end > .start'

# --- clients
live=$(mist "/sites/$site/stats/clients/$client")
has_keys "live client" "$live" ap_id ap_mac assoc_time band bssid channel dual_band family hostname idle_time ip is_guest key_mgmt last_seen mac \
    manufacture model os proto rssi rx_bps rx_bytes rx_pkts rx_rate rx_retries site_id snr ssid tx_bps tx_bytes tx_pkts tx_rate tx_retries uptime \
    vlan_id wlan_id x y x_m y_m username
holds "live client is well" "$live" '.rssi > -60 and .snr > 30 and .vlan_id == "110" and .ssid == "Staff" and (.ip | startswith("10.11.0."))'
holds "retries are few" "$live" '.tx_retries / .tx_pkts < 0.1'
holds "all live clients of the site" "$(mist "/sites/$site/stats/clients")" 'length == 32 and all(.[]; .rssi < 0)'
holds "clients of one AP" "$(mist "/sites/$site/stats/devices/00000000-0000-0000-1000-d420b0a01202/clients")" 'length == 12'
holds "found by any notation" "$(mist "/orgs/$org/clients/search?mac=A4-83-E7-12-34-56")" '.total == 1 and .results[0].last_ap == "d420b0a01202" and .results[0].ap == ["d420b0a01202"]'
holds "found by part of its name" "$(mist "/orgs/$org/clients/search?text=lt-0412")" '.total == 1'
holds "count by ssid" "$(mist "/sites/$site/clients/count?distinct=ssid")" '.distinct == "ssid" and ([.results[] | {(.ssid): .count}] | add | .Staff == 25 and .Guest == 7)'
mist "/sites/$site/clients/$client/disconnect" -X POST >/dev/null
is "gone for a moment" "$(mist_status "/sites/$site/stats/clients/$client")" 404
advance 6
holds "events of a join, newest first" "$(mist "/sites/$site/clients/$client/events")" '[.results[].type] == ["CLIENT_DNS_OK", "CLIENT_GW_ARP_OK",
    "CLIENT_IP_ASSIGNED", "CLIENT_AUTHENTICATED", "CLIENT_ASSOCIATION", "CLIENT_DEAUTHENTICATED"]'
has_keys "event" "$(mist "/sites/$site/clients/$client/events" | jq '.results[0]')" ap band bssid channel proto ssid text timestamp type type_code wlan_id
holds "one client's events carry no MAC" "$(mist "/sites/$site/clients/$client/events")" 'all(.results[]; has("mac") | not)'
holds "the site's events by type" "$(mist "/sites/$site/clients/events/search?type=CLIENT_IP_ASSIGNED")" '.total == 1 and .results[0].mac == "a483e7123456"'
holds "session that ended" "$(mist "/sites/$site/clients/sessions/search")" '.results[0] | .mac == "a483e7123456" and .disconnect >= .connect and .tags == ["disassociate"]'
holds "no event before the window" "$(mist "/sites/$site/clients/$client/events?start=-2d&end=-1d")" '.total == 0'
holds "wired clients" "$(mist "/sites/$site/wired_clients/search?limit=5")" '.total == 80 and (.results[0].port_id[0] | startswith("ge-0/0/"))'

# --- devices
ap=$(mist "/sites/$site/stats/devices/00000000-0000-0000-1000-d420b0a01202")
has_keys "AP stats" "$ap" id mac name type model serial status uptime last_seen version ip ext_ip num_clients num_wlans cpu_util mem_used_kb mem_total_kb \
    power_src power_budget power_constrained config_reverted inactive_wired_vlans env_stat last_trouble port_stat lldp_stat radio_stat ip_stat locating
has_keys "radio stats" "$(jq .radio_stat.band_5 <<<"$ap")" channel bandwidth power noise_floor num_clients num_wlans util_all util_tx util_rx_in_bss \
    util_rx_other_bss util_unknown_wifi util_non_wifi util_undecodable_wifi usage mac
holds "AP's wire" "$ap" '.lldp_stat.system_name == "sw-2" and .lldp_stat.port_id == "ge-0/0/12" and .inactive_wired_vlans == [] and .num_clients == 12'
sw=$(mist "/sites/$site/stats/devices?type=switch" | jq '.[] | select(.name == "sw-2")')
has_keys "switch stats" "$sw" id mac name type model status uptime version cpu_stat memory_stat if_stat module_stat clients_stats dhcpd_stat \
    arp_table_stats mac_table_stats config_status ip last_seen
port=$(mist "/sites/$site/stats/ports/search?mac=4c734fa00202&port_id=ge-0/0/12" | jq '.results[0]')
has_keys "port" "$port" mac port_id port_mac up disabled speed full_duplex last_flapped mac_count mac_limit neighbor_mac neighbor_system_name \
    neighbor_port_desc poe_on poe_disabled poe_mode power_draw stp_state stp_role auth_state rx_bytes tx_bytes rx_errors tx_errors type
holds "port of an AP" "$port" '.up and .poe_on and .power_draw > 5 and .neighbor_system_name == "AP-3F-12" and .mac_count == 13'
holds "ports that are up" "$(mist "/sites/$site/stats/ports/search?up=true&limit=100")" '[.results[].up] | all'
holds "devices by MAC" "$(mist "/orgs/$org/devices/search?mac=d420b0a01303")" '.total == 1 and .results[0].lldp_port_id == "ge-0/0/13"'
holds "inventory of switches" "$(mist "/orgs/$org/inventory?type=switch")" '[.[].name] == ["sw-1", "sw-2", "sw-3"]'
holds "site's numbers" "$(mist "/sites/$site/stats")" '.num_ap == 4 and .num_ap_connected == 4 and .num_switch == 2 and .num_clients == 32'

# --- service levels and radio
sle=$(mist "/sites/$site/sle/site/$site/metric/capacity/summary")
has_keys "SLE summary" "$sle" classifiers end events impact sle start
holds "SLE summary's parts" "$sle" '(.sle.samples.value | length) == 24 and (.classifiers[0] | has("name") and has("impact") and .samples.degraded and .y_label == "user-minutes")'
holds "metrics" "$(mist "/sites/$site/sle/site/$site/metrics")" '.enabled | index("failed-to-connect") and index("coverage")'
holds "the other name of a metric" "$(mist "/sites/$site/sle/site/$site/metric/successful-connect/summary")" '.sle.name == "successful-connect"'
is "unknown metric" "$(mist_status "/sites/$site/sle/site/$site/metric/happiness/summary")" 404
is "unknown classifier" "$(mist_status "/sites/$site/sle/site/$site/metric/coverage/classifier/x/summary")" 404
holds "plan of the radios" "$(mist "/sites/$site/rrm/current")" '.status == "ready" and (.band_5["00000000-0000-0000-1000-d420b0a01202"] | .curr_channel == 44 and .channel == 44 and .power == 17)'
holds "channels of an AP" "$(mist "/sites/$site/rrm/current/devices/00000000-0000-0000-1000-d420b0a01202/band/5")" '.results[0] | has("util_score_non_wifi") and has("other_rssi") and .noise < -80'

# --- configuration: each key that is sent is replaced whole
mist "/sites/$site/setting" -X PUT -d '{"auto_upgrade": {"enabled": true}}' >/dev/null
holds "a key is replaced, others stay" "$(mist "/sites/$site/setting")" '.auto_upgrade == {"enabled": true} and .rogue.enabled'
wlan=$(mist "/sites/$site/wlans" | jq -r '.[] | select(.ssid == "Guest") | .id')
mist "/sites/$site/wlans/$wlan" -X PUT -d '{"hide_ssid": true}' >/dev/null
holds "WLAN changed" "$(mist "/sites/$site/wlans/$wlan")" '.hide_ssid and .ssid == "Guest" and .auth.type == "psk"'
holds "audit log" "$(mist "/orgs/$org/logs")" '.results[0].message == "Update WLAN"'
is "unknown WLAN" "$(mist_status "/sites/$site/wlans/x" -X PUT -d '{}')" 404

# --- the record
holds "every write is in the record, in order" "$(writes)" '[.[] | "\(.n) \(.method) \(.status) \(.done)"] == ["1 POST 405 false", "2 POST 400 false", "3 POST 400 false",
    "4 POST 400 false", "5 POST 200 true", "6 PUT 200 true", "7 PUT 200 true", "8 PUT 404 false"]'
is "and in the file" "$(jq -c . "$dir/writes.jsonl")" "$(writes | jq -c '.[]')"

# --- the hourly budget
printf 'rate_limit: 3\n' >"$scratch/limited.yaml"
lab_start "$scratch/limited.yaml"
for i in 1 2 3; do is "call $i" "$(mist_status /self)" 200; done
is "fourth call" "$(mist /self)" '{"detail":"Too Many Request. The API Token used for the request reached the 3 API Calls per hour threshold"}'
is "its status" "$(mist_status /self)" 429
advance 3600
is "an hour later" "$(mist_status /self)" 200
finish
