# Every fault of the lab: what each system shows of it, and what mends it.
. "$(dirname "$0")/lib.sh"
client=a483e7123456 mac=A4:83:E7:12:34:56
ap12=00000000-0000-0000-1000-d420b0a01202 sw2=00000000-0000-0000-1000-4c734fa00202

live() { mist "/sites/$site/stats/clients/$client" | jq -r ".$1"; }
live_status() { mist_status "/sites/$site/stats/clients/$client"; }
ap_stats() { mist "/sites/$site/stats/devices/$ap12" | jq -r ".$1"; }
port() { mist "/sites/$site/stats/ports/search?mac=4c734fa00202&port_id=ge-0/0/12" | jq -r ".results[0].$1"; }
alarms() { mist "/sites/$site/alarms/search?limit=100" | jq -r '.results[] | select(.status == "open") | .type' | sort -u | tr '\n' ' '; }
auth() { ise "/admin/API/mnt/AuthStatus/MACAddress/$mac/1800/20/All"; }
sufferer() { mist "/sites/$site/sle/client/$client/metric/$1/summary" | jq -r '[.classifiers[] | select(.impact.num_users > 0) | .name] | join(" ")'; }
disconnect() { mist "/sites/$site/clients/$client/disconnect" -X POST >/dev/null; }

# --- no fault
lab_start healthy
is "healthy: state" "$(troubled state)" up
is "healthy: alarms" "$(alarms)" ""
is "healthy: nobody suffers" "$(for m in coverage capacity time-to-connect failed-to-connect roaming throughput ap-health; do sufferer $m; done | tr -d '\n')" ""

# --- the client
lab_start unknown_client
holds "unknown: not in the search" "$(mist "/orgs/$org/clients/search?mac=$client&duration=30d")" '.total == 0'
is "unknown: not live" "$(live_status)" 404
like "unknown: ISE" "$(ise "/admin/API/mnt/Session/MACAddress/$mac")" 'mnt-rest-result'
holds "unknown: no lease" "$(kea lease4-get-by-hw-address '{"hw-address":"a4:83:e7:12:34:56"}')" '.[0].result == 3'

lab_start client_asleep
is "asleep: not live" "$(live_status)" 404
holds "asleep: known" "$(mist "/orgs/$org/clients/search?mac=$client")" '.total == 1'
holds "asleep: its session ended by inactivity" "$(mist "/sites/$site/clients/sessions/search")" '.results[] | select(.mac == "a483e7123456") | .tags == ["inactive"]'
like "asleep: event" "$(mist "/sites/$site/clients/$client/events" | jq -r '.results[0].text')" 'inactivity'
is "asleep: its AP is well" "$(ap_stats status)" connected

lab_start wrong_psk
is "wrong key: not live" "$(live_status)" 404
like "wrong key: events" "$(mist "/sites/$site/clients/$client/events" | jq -r '.results[0] | .type + " " + .text + " " + .ssid')" 'AUTH_FAILURE .*4-Way Handshake.* Guest'
is "wrong key: nothing for ISE" "$(grep -c failure_reason <<<"$(auth)")" 0

for fault in "dot1x_unknown_user 22056" "dot1x_cert_expired 12516" "dot1x_wrong_policy 15039"; do
    lab_start "${fault% *}"
    is "${fault% *}: not live" "$(live_status)" 404
    like "${fault% *}: event" "$(events | head -1)" MARVIS_EVENT_CLIENT_AUTH_FAILURE
    like "${fault% *}: attempts" "$(auth)" "<failure_reason>${fault#* } "
    like "${fault% *}: session" "$(ise "/admin/API/mnt/Session/MACAddress/$mac")" "<message_code>5400<"
    like "${fault% *}: others get in" "$(ise /admin/API/mnt/Session/ActiveCount)" '<count>33<'
    is "${fault% *}: who suffers" "$(sufferer failed-to-connect)" authorization
done
like "wrong policy: the rule" "$(ise "/admin/API/mnt/Session/MACAddress/$mac")" 'Wireless Block List Default.*'
id=$(ise "/ers/config/endpoint?filter=mac.EQ.$mac" | jq -r '.SearchResult.resources[0].id')
group=$(ise /ers/config/endpointgroup/name/Workstation | jq -r .EndPointGroup.id)
holds "wrong policy: put into another group" "$(ise "/ers/config/endpoint/$id" -X PUT -H 'Content-Type: application/json' -d "{\"ERSEndPoint\":{\"groupId\":\"$group\"}}")" '.UpdatedFieldsList.updatedField[0].field == "groupId"'
advance 31
is "wrong policy: mended" "$(troubled state)" up

# --- access points and switches
lab_start ap_poe_off
is "no PoE: not live" "$(live_status)" 404
is "no PoE: AP" "$(ap_stats status)" disconnected
is "no PoE: port" "$(port up) $(port poe_on) $(port poe_disabled) $(port neighbor_system_name)" "false false true null"
is "no PoE: alarms" "$(alarms)" "device_down "
like "no PoE: on the switch" "$(ssh_to sw-2 'show poe interface ge-0/0/12')" 'Administrative status +: +Disabled'
like "no PoE: who did it" "$(ssh_to sw-2 'show system commit')" 'by netops'
is "no PoE: a restart does not reach it" "$(mist_status "/sites/$site/devices/$ap12/restart" -X POST) $(ap AP-3F-12 state)" "200 off"
ssh_to sw-2 'configure exclusive; delete poe interface ge-0/0/12 disable; commit comment "on again"; exit' >/dev/null
is "no PoE: it boots" "$(ap AP-3F-12 state)" booting
advance 119
is "no PoE: still boots" "$(ap AP-3F-12 state) $(ap_stats status)" "booting disconnected"
advance 20
is "no PoE: it is back, with a small uptime" "$(ap_stats status) $(($(ap_stats uptime) < 300))" "connected 1"
is "no PoE: mended" "$(troubled state) $(alarms)" "up "

lab_start ap_hung
is "hung: AP" "$(ap_stats status)" disconnected
is "hung: port has link and power, and no neighbour" "$(port up) $(port poe_on) $(port neighbor_system_name)" "true true null"
is "hung: who suffers" "$(sufferer ap-health)" ap-disconnected-ap-unreachable
is "hung: a restart is accepted" "$(mist_status "/sites/$site/devices/$ap12/restart" -X POST)" 200
advance 300
is "hung: and does nothing" "$(ap AP-3F-12 state)" hung
mist "/sites/$site/devices/$sw2/bounce_port" -d '{"ports":["ge-0/0/12"]}'
is "hung: bounced" "$(ap AP-3F-12 state)" off
advance 6
is "hung: power is back" "$(ap AP-3F-12 state)" booting
advance 140
is "hung: mended" "$(ap AP-3F-12 state) $(troubled state)" "up up"

lab_start ap_hung
local_ports() { mist "/sites/$site/devices/$sw2/local_port_config" -X PUT -d "$1"; }
local_ports '{"ge-0/0/12":{"usage":"ap","poe_disabled":true}}' >/dev/null
is "hung: PoE off by the cloud" "$(ap AP-3F-12 state) $(port poe_disabled)" "off true"
like "hung: the cloud's commit is on the switch" "$(ssh_to sw-2 'show system commit | match mist')" 'by mist via netconf'
mist "/sites/$site/devices/$sw2/local_port_config" -X DELETE
advance 140
is "hung: PoE on again, mended" "$(ap AP-3F-12 state) $(troubled state)" "up up"

lab_start switch_down
is "switch down: AP" "$(ap_stats status)" disconnected
is "switch down: switch" "$(mist "/sites/$site/stats/devices/$sw2" | jq -r .status)" disconnected
is "switch down: alarms" "$(alarms)" "device_down switch_down "
is "switch down: the port towards it" "$(mist "/sites/$site/stats/ports/search?mac=4c734fa00101&port_id=ge-0/0/23" | jq -r '.results[0].up')" false
like "switch down: SSH" "$(ssh_to sw-2 'show version' 2>&1)" 'refused'
like "switch down: the other one answers" "$(ssh_to sw-1 'show version')" 'Hostname: sw-1'

lab_start wrong_vlan
is "wrong VLAN: associated, no address" "$(live ssid) '$(live ip)'" "Staff ''"
is "wrong VLAN: AP says so" "$(ap_stats 'inactive_wired_vlans | tostring') $(ap_stats status)" "[110,120] connected"
is "wrong VLAN: alarm" "$(mist "/sites/$site/alarms/search?type=missing_vlan" | jq -r '.results[0].impacted_entities[0] | "\(.entity_name) \(.port_id) \(.missing_vlan_id)"')" "sw-2 ge-0/0/12 110"
like "wrong VLAN: events" "$(events | head -1)" DHCP_FAILURE
holds "wrong VLAN: the server saw nothing" "$(kea statistic-get-all)" '.[0].arguments | has("v4-allocation-fail") | not'
like "wrong VLAN: on the switch" "$(ssh_to sw-2 'show configuration interfaces ge-0/0/12 | display set')" 'vlan members mgmt$'
like "wrong VLAN: an access port takes one VLAN" "$(ssh_to sw-2 'configure exclusive; set interfaces ge-0/0/12 unit 0 family ethernet-switching vlan members staff; commit; rollback 0; exit')" 'more than one vlan member'
ssh_to sw-2 'configure exclusive; delete interfaces ge-0/0/12 unit 0 family ethernet-switching vlan members mgmt; set interfaces ge-0/0/12 unit 0 family ethernet-switching vlan members staff; commit; exit' >/dev/null
advance 31
is "wrong VLAN: mended" "$(troubled state) $(alarms)" "up "

# --- services
lab_start radius_down
is "RADIUS down: ISE does not answer" "$(curl -s "$ise_url/admin/API/mnt/Version"; echo $?)" 7
like "RADIUS down: events" "$(mist "/sites/$site/clients/$client/events" | jq -r '.results[0].text')" 'RADIUS server 10.10.0.21:1812 did not respond'
is "RADIUS down: alarms" "$(alarms)" "authentication_failure "

lab_start dhcp_pool_exhausted
is "pool full: associated, no address" "$(live ssid) '$(live ip)'" "Staff ''"
is "pool full: as many leases as addresses" "$(kea stat-lease4-get '{"subnet-id":1}' | jq -c '.[0].arguments."result-set".rows[0] | [.[1], .[3]]')" "[241,241]"
holds "pool full: failures are counted" "$(kea statistic-get '{"name":"subnet[1].v4-allocation-fail"}')" '.[0].arguments["subnet[1].v4-allocation-fail"][0][0] >= 20'
is "pool full: alarms" "$(alarms)" "infra_dhcp_failure "
is "pool full: who suffers" "$(sufferer failed-to-connect)" dhcp-discover-unresponsive
before=$(events | grep -c DHCP_FAILURE)
advance 60
is "pool full: failures go on" "$(events | grep -c DHCP_FAILURE)" $((before + 2))
now=$(curl -s "$url/lab/ready" | jq '.wall | floor')
stale=$(kea lease4-get-all | jq -r --argjson now "$now" '.[0].arguments.leases[] | select(."subnet-id" == 1 and .cltt < $now - 28800) | ."ip-address"')
is "pool full: not seen for 8 hours" "$(wc -l <<<"$stale")" 38
kea lease4-del "{\"ip-address\":\"$(head -1 <<<"$stale")\"}" >/dev/null
disconnect
advance 6
is "pool full: mended by one address" "$(troubled state) $(troubled ip) $(alarms)" "up $(head -1 <<<"$stale") "

lab_start dhcp_pool_exhausted
config=$(kea config-get | jq -c '.[0].arguments | (.Dhcp4.subnet4[0].pools[0].pool) = "10.11.0.10-10.11.0.252"')
kea config-set "$config" >/dev/null
advance 31
is "pool full: mended by a larger pool" "$(troubled state)" up

lab_start dhcp_down
is "DHCP down: associated, no address" "$(live ssid) '$(live ip)'" "Staff ''"
holds "DHCP down: the agent says so" "$(kea status-get)" '.[0].result == 1 and (.[0].text | contains("likely to be offline"))'
is "DHCP down: alarms" "$(alarms)" "infra_dhcp_failure "

lab_start dhcp_nak_conflict
like "NAK: events" "$(events | head -1)" MARVIS_EVENT_CLIENT_DHCP_NAK
holds "NAK: statistics" "$(kea statistic-get '{"name":"pkt4-nak-sent"}')" '.[0].arguments["pkt4-nak-sent"][0][0] >= 20'
ip=$(mist "/sites/$site/clients/$client/events" | jq -r '.results[0].text' | grep -o '10\.11\.0\.[0-9]*')
holds "NAK: the address is declined" "$(kea lease4-get "{\"ip-address\":\"$ip\"}")" '.[0].arguments | .state == 1 and ."hw-address" == ""'
is "NAK: declined addresses" "$(kea stat-lease4-get '{"subnet-id":1}' | jq '.[0].arguments."result-set".rows[0][4]')" 1
is "NAK: who suffers" "$(sufferer failed-to-connect)" dhcp-nack
kea lease4-del "{\"ip-address\":\"$ip\"}" >/dev/null
disconnect
advance 6
is "NAK: mended" "$(troubled state)" up
holds "NAK: none declined" "$(kea statistic-get '{"name":"subnet[1].declined-addresses"}')" '.[0].arguments["subnet[1].declined-addresses"][0][0] == 0'

# What the name server says about ap.corp.example: its response code and how many answers.
dns() {
    local answer
    exec 5<>"/dev/udp/127.0.0.1/$dns_port"
    printf '\0\7\1\0\0\1\0\0\0\0\0\0\2ap\4corp\7example\0\0\1\0\1' >&5
    answer=($(timeout 2 dd bs=512 count=1 status=none <&5 | od -An -v -tu1))
    exec 5>&-
    [ ${#answer[@]} -ge 12 ] && echo "$((answer[3] & 15)) ${answer[7]}" || echo silence
}
lab_start healthy
is "DNS: answers" "$(dns)" "0 1"
lab_start dns_broken
is "DNS broken: SERVFAIL" "$(dns)" "2 0"
like "DNS broken: events" "$(events | head -1)" MARVIS_DNS_FAILURE
curl -s -d '{"dns_broken":{"how":"silent"}}' "$url/lab/fault" >/dev/null
is "DNS broken: silence" "$(dns)" silence
advance 6
is "DNS broken: has an address" "$(troubled state)" up
is "DNS broken: alarms" "$(alarms)" "infra_dns_failure "
is "DNS broken: who suffers" "$(sufferer failed-to-connect)" dns

lab_start wan_latency
is "WAN: who suffers" "$(sufferer throughput)" network-issues
holds "WAN: the router's port" "$(mist "/sites/$site/stats/ports/search?type=gateway")" '.results[0].latency == 480'
is "WAN: the probe is slow" "$(curl -s -w '%{http_code} %{time_total}' "$url/internet/generate_204" | awk '{ print $1, ($2 >= 0.48) }')" "204 1"

# --- radio
lab_start weak_signal
is "weak: below the floors" "$(($(live rssi) < -70)) $(($(live snr) < 20))" "1 1"
is "weak: who suffers" "$(sufferer coverage)" weak-signal
is "weak: the AP whispers" "$(ap_stats radio_stat.band_5.power)" 8
holds "weak: what RRM would do" "$(mist "/sites/$site/rrm/current")" ".band_5[\"$ap12\"] | .curr_power == 8 and .power == 17"
mist "/sites/$site/rrm/optimize" -d '{"bands":["5"],"txpower_only":true}'
is "weak: RRM runs" "$(mist "/sites/$site/rrm/current" | jq -r .status)" updating
advance 61
is "weak: mended" "$(($(live rssi) > -70)) $(($(live snr) > 20)) $(ap_stats radio_stat.band_5.power) $(sufferer coverage)" "1 1 17 "

lab_start interference
is "interference: strong, but noisy" "$(($(live rssi) > -60)) $(($(live snr) < 20))" "1 1"
is "interference: the radio" "$(ap_stats radio_stat.band_5.noise_floor) $(ap_stats radio_stat.band_5.util_non_wifi)" "-66 38"
holds "interference: what RRM saw" "$(mist "/sites/$site/rrm/events")" '.results[0].event == "interference-ap-non-wifi" and .results[0].channel == 44'
holds "interference: on its channel only" "$(mist "/sites/$site/rrm/current/devices/$ap12/band/5")" '[.results[] | select(.noise > -70) | .channel] == [44]'
is "interference: who suffers" "$(sufferer capacity)" non-wifi-interference
mist "/sites/$site/rrm/optimize" -d '{"bands":["5"]}'
advance 70
is "interference: another channel" "$([ "$(ap_stats radio_stat.band_5.channel)" = 44 ]; echo $?) $(($(live snr) > 20))" "1 1"
holds "interference: RRM's event" "$(mist "/sites/$site/rrm/events")" '.results[0].event == "triggered-site_rrm" and .results[0].pre_channel == 44'

lab_start busy_channel
is "busy: use of the channel" "$(($(ap_stats radio_stat.band_5.util_all) > 80))" 1
is "busy: retries" "$(live 'tx_retries / .tx_pkts > 0.2')" true
is "busy: signal is fine" "$(($(live rssi) > -60)) $(($(live snr) > 30))" "1 1"
is "busy: who suffers" "$(sufferer capacity)" wifi-interference
mist "/sites/$site/rrm/optimize" -d '{"bands":["5"],"macs":["d420b0a01303"]}'
advance 70
is "busy: RRM of another AP does not help" "$(ap_stats radio_stat.band_5.channel)" 44
mist "/sites/$site/rrm/optimize" -d '{"bands":["5"],"macs":["d420b0a01202"]}'
advance 70
is "busy: mended" "$(($(ap_stats radio_stat.band_5.util_all) < 50)) $(live 'tx_retries / .tx_pkts < 0.1')" "1 true"

lab_start sticky_client
is "sticky: far from its AP" "$(live ap_mac) $(($(live rssi) < -70))" "d420b0a01101 1"
is "sticky: who suffers" "$(sufferer roaming)" signal-quality-sticky-client
disconnect
advance 6
is "sticky: at the near AP" "$(live ap_mac) $(($(live rssi) > -60)) $(sufferer roaming)" "d420b0a01303 1 "

lab_start ap_overloaded
is "overloaded: clients" "$(($(ap_stats num_clients) > 50)) $(($(ap_stats radio_stat.band_5.num_clients) > 50))" "1 1"
is "overloaded: who suffers" "$(sufferer capacity)" client-count
disconnect
advance 6
is "overloaded: another AP serves it" "$([ "$(live ap_mac)" = d420b0a01202 ]; echo $?) $(troubled state)" "1 up"

# --- an AP's restart, and its clients
lab_start healthy
mist "/sites/$site/devices/$ap12/restart" -X POST
is "restart: away at once" "$(ap_stats status) $(live_status)" "disconnected 404"
advance 20
is "restart: its clients found another AP" "$(troubled state) $([ "$(live ap_mac)" = d420b0a01202 ]; echo $?)" "up 1"
advance 105
is "restart: back after two minutes" "$(ap_stats status) $(($(ap_stats uptime) < 120))" "connected 1"
advance 15
is "restart: its clients came back" "$(live ap_mac)" d420b0a01202
holds "restart: the story" "$(mist "/sites/$site/devices/events/search?mac=d420b0a01202")" '[.results[].type] == ["AP_CONNECTED", "AP_DISCONNECTED", "AP_RESTART_BY_USER"]'
mist "/sites/$site/devices/$ap12/synthetic_test" -d '{"type":"dhcp","vlan_id":110}' >/dev/null
is "test of DHCP: runs" "$(mist "/sites/$site/devices/$ap12/synthetic_test" | jq -r .status)" inprogress
advance 21
is "test of DHCP: passed" "$(mist "/sites/$site/devices/$ap12/synthetic_test" | jq -r .status)" success
finish
