#!/bin/bash
# The lab's WAPI: login and cookie, lists in pages, fields, errors, changes that Kea sees too.
. "$(dirname "$0")/lib.sh"
lab_start dhcp_pool_exhausted
wapi() { curl -s -g -u "fettle:$(cat "$dir/kea.password")" -H 'Content-Type: application/json' "${@:2}" "$url/wapi/v2.12/$1"; }
status() { curl -s -g -o /dev/null -w '%{http_code}' -u "fettle:$(cat "$dir/kea.password")" -H 'Content-Type: application/json' "${@:2}" "$url/wapi/v2.12/$1"; }

like "no password: a web page" "$(curl -s "$url/wapi/v2.12/network")" '<title>401 Authorization Required</title>'
cookie=$(curl -s -D - -o /dev/null -u "fettle:$(cat "$dir/kea.password")" "$url/wapi/v2.12/grid" | sed -n 's/^Set-Cookie: \(ibapauth=[^;]*\);.*/\1/p')
is "the cookie is enough" "$(curl -s -o /dev/null -w '%{http_code}' -H "Cookie: $cookie" "$url/wapi/v2.12/grid")" 200
is "another one is not" "$(curl -s -o /dev/null -w '%{http_code}' -H "Cookie: ibapauth=\"x\"" "$url/wapi/v2.12/grid")" 401
is "networks" "$(wapi 'network?_return_fields=network' | jq -r '[.[].network] | sort | join(" ")')" "10.10.0.0/24 10.11.0.0/24 10.12.0.0/23 10.21.0.0/24"
is "by VLAN" "$(wapi 'network?_return_fields=network&*VLAN=110' | jq -r '.[].network')" 10.11.0.0/24
is "by an address" "$(wapi 'network?_return_fields=network&contains_address=10.12.1.9' | jq -r '.[].network')" 10.12.0.0/23
holds "an unknown kind" "$(wapi nonsense)" '.code == "Client.Ibap.Proto" and (.text | contains("nonsense")) and (.Error | startswith("AdmConProtoError"))'
holds "an unknown field" "$(wapi 'range?_return_fields=nonsense')" '.text == "Unknown argument/field: '"'nonsense'"'"'
is "errors are 400" "$(status nonsense)" 400
holds "the range is full" "$(wapi 'range?network=10.11.0.0/24&_return_fields=dhcp_utilization,dhcp_utilization_status,total_hosts,dynamic_hosts')" \
    '.[0] | .dhcp_utilization == 1000 and .dhcp_utilization_status == "FULL" and .total_hosts == 241 and .dynamic_hosts == 241'

first=$(wapi 'lease?network=10.11.0.0/24&_return_fields=address&_paging=1&_return_as_object=1&_max_results=200')
holds "a page" "$first" '(.result | length) == 200 and (.next_page_id | type) == "string"'
second=$(wapi "lease?_page_id=$(jq -r .next_page_id <<<"$first")")
holds "the last one" "$second" '(.result | length) == 41 and (has("next_page_id") | not)'
holds "a page is given once" "$(wapi "lease?_page_id=$(jq -r .next_page_id <<<"$first")")" '.code == "Client.Ibap.Proto"'

ref=$(wapi 'lease?address=10.11.0.20&_return_fields=hardware,binding_state' | jq -r '.[0]._ref')
is "clearing a lease" "$(wapi "$ref" -X DELETE | jq -r .)" "$ref"
is "it is gone for Kea too" "$(kea lease4-get '{"ip-address":"10.11.0.20"}' | jq '.[0].result')" 3
holds "and twice not there" "$(wapi "$ref" -X DELETE)" '.code == "Client.Ibap.Data.NotFound"'

fixed='{"ipv4addr":"10.11.0.5","mac":"02:00:00:00:00:50","name":"door-3"}'
is "a fixed address" "$(status fixedaddress -d "$fixed")" 201
holds "twice is a conflict" "$(wapi fixedaddress -d "$fixed")" '.code == "Client.Ibap.Data.Conflict"'
holds "Kea has it" "$(kea reservation-get-all '{"subnet-id":1}')" '.[0].arguments.hosts[0]."ip-address" == "10.11.0.5"'
is "an overlapping range" "$(status range -d '{"start_addr":"10.11.0.240","end_addr":"10.11.0.253","network":"10.11.0.0/24"}')" 400
is "a range" "$(status range -d '{"start_addr":"10.11.0.251","end_addr":"10.11.0.254","network":"10.11.0.0/24"}')" 201
is "not served yet" "$(kea stat-lease4-get '{"subnet-id":1}' | jq '.[0].arguments."result-set".rows[0][1]')" 241
is "restart" "$(wapi "$(wapi grid | jq -r '.[0]._ref')?_function=restartservices" -d '{"restart_option":"RESTART_IF_NEEDED"}')" '{}'
is "served" "$(kea stat-lease4-get '{"subnet-id":1}' | jq '.[0].arguments."result-set".rows[0][1]')" 245
is "the record" "$(curl -s "$url/lab/writes" | jq -r '[.[] | select(.system == "infoblox") | "\(.method) \(.status)"] | join(",")')" \
    "DELETE 200,DELETE 404,POST 201,POST 400,POST 400,POST 201,POST 200"
finish
