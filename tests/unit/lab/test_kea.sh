# Kea's control agent in the lab: result codes, leases, statistics, configuration, reservations.
. "$(dirname "$0")/lib.sh"
lab_start healthy

ask() { kea "$@" | jq -c '.[0]'; }

is "no password" "$(curl -s -H 'Content-Type: application/json' -d '{}' "$url/kea")" '{"result":401,"text":"Unauthorized"}'
is "no content type" "$(curl -s -u "fettle:$(cat "$dir/kea.password")" -H 'Content-Type: text/plain' -d '{"command":"status-get"}' "$url/")" '{"result":400,"text":"Bad Request"}'
is "broken JSON" "$(curl -s -u "fettle:$(cat "$dir/kea.password")" -H 'Content-Type: application/json' -d '{bad' "$url/kea")" '{"result":400,"text":"Bad Request"}'
is "unknown command" "$(ask nope)" '{"result":2,"text":"'"'nope' command not supported.\"}"
holds "the agent itself" "$(curl -s -u "fettle:$(cat "$dir/kea.password")" -H 'Content-Type: application/json' -d '{"command":"list-commands"}' "$url/kea")" '.[0].arguments | index("lease4-get") == null'
holds "the server's commands" "$(ask list-commands)" '.arguments | index("stat-lease4-get") and index("leases-reclaim")'
holds "status" "$(ask status-get)" '.result == 0 and .arguments.sockets.status == "ready"'
is "version" "$(ask version-get | jq -r .text)" 2.2.0

# --- leases
lease=$(ask lease4-get-by-hw-address '{"hw-address":"a4:83:e7:12:34:56"}')
holds "the client's lease" "$lease" '.result == 0 and .text == "1 IPv4 lease(s) found." and (.arguments.leases[0] |
    keys == ["client-id","cltt","fqdn-fwd","fqdn-rev","hostname","hw-address","ip-address","state","subnet-id","valid-lft"] and ."subnet-id" == 1 and .state == 0)'
ip=$(jq -r '.arguments.leases[0]."ip-address"' <<<"$lease")
is "by address" "$(ask lease4-get "{\"ip-address\":\"$ip\"}" | jq -r '.arguments.hostname')" lt-0412
holds "by name" "$(ask lease4-get-by-hostname '{"hostname":"lt-0412"}')" '.result == 0'
is "no such address" "$(ask lease4-get '{"ip-address":"10.11.0.249"}')" '{"result":3,"text":"Lease not found."}'
is "no such client" "$(ask lease4-get-by-hw-address '{"hw-address":"02:00:00:00:00:01"}')" '{"arguments":{"leases":[]},"result":3,"text":"0 IPv4 lease(s) found."}'
is "bad MAC" "$(ask lease4-get-by-hw-address '{"hw-address":"x"}' | jq .result)" 1
from=start total=0
while answer=$(ask lease4-get-page "{\"from\":\"$from\",\"limit\":50}") && [ "$(jq .result <<<"$answer")" = 0 ] && [ $total -lt 1000 ]; do
    total=$((total + $(jq .arguments.count <<<"$answer")))
    from=$(jq -r '.arguments.leases[-1]."ip-address"' <<<"$answer")
done
is "leases over all pages" $total "$(ask lease4-get-all | jq '.arguments.leases | length')"
is "the end is empty" "$(jq .result <<<"$answer")" 3
is "add" "$(ask lease4-add '{"ip-address":"10.11.0.249","hw-address":"02:00:00:00:00:01","hostname":"cam1"}')" '{"result":0,"text":"Lease for address 10.11.0.249, subnet-id 1 added."}'
is "add again" "$(ask lease4-add '{"ip-address":"10.11.0.249","hw-address":"02:00:00:00:00:01"}')" '{"result":1,"text":"IPv4 lease already exists."}'
is "delete" "$(ask lease4-del '{"ip-address":"10.11.0.249"}')" '{"result":0,"text":"IPv4 lease deleted."}'
is "delete again" "$(ask lease4-del '{"ip-address":"10.11.0.249"}' | jq .result)" 3

# --- a lease that has run out is there until it is reclaimed
before=$(ask stat-lease4-get '{"subnet-id":1}' | jq '.arguments."result-set".rows[0][3]')
ask lease4-add '{"ip-address":"10.11.0.248","hw-address":"02:00:00:00:00:02","valid-lft":60}' >/dev/null
advance 120
is "expired, still counted" "$(ask stat-lease4-get '{"subnet-id":1}' | jq '.arguments."result-set".rows[0][3]')" $((before + 1))
is "reclaim without remove" "$(ask leases-reclaim | jq .result)" 1
is "reclaim" "$(ask leases-reclaim '{"remove":true}' | jq .result)" 0
is "now it is gone" "$(ask stat-lease4-get '{"subnet-id":1}' | jq '.arguments."result-set".rows[0][3]')" "$before"

# --- statistics
holds "columns" "$(ask stat-lease4-get)" '.arguments."result-set" | .columns == ["subnet-id","total-addresses","cumulative-assigned-addresses","assigned-addresses","declined-addresses"] and (.rows | length) == 4'
is "no such subnet" "$(ask stat-lease4-get '{"subnet-id":99}' | jq .result)" 3
holds "one statistic" "$(ask statistic-get '{"name":"subnet[1].assigned-addresses"}')" '.result == 0 and .arguments["subnet[1].assigned-addresses"][0][0] > 100'
is "an unknown one is empty, not wrong" "$(ask statistic-get '{"name":"nope"}')" '{"arguments":{},"result":0}'
holds "no failure yet, no such statistic" "$(ask statistic-get-all)" '(.arguments | has("pkt4-nak-sent")) and (.arguments | has("v4-allocation-fail") | not)'

# --- configuration
config=$(ask config-get | jq -c .arguments)
hash=$(ask config-hash-get | jq -r .arguments.hash)
wider=$(jq -c '(.Dhcp4.subnet4[0].pools[0].pool) = "10.11.0.10-10.11.0.254"' <<<"$config")
is "sane" "$(ask config-test "$wider" | jq .result)" 0
is "not sane" "$(ask config-test "$(jq -c '(.Dhcp4.subnet4[0].pools[0].pool) = "10.99.0.1-10.99.0.9"' <<<"$config")" | jq .result)" 1
is "set" "$(ask config-set "$wider" | jq .result)" 0
is "four addresses more" "$(ask stat-lease4-get '{"subnet-id":1}' | jq '.arguments."result-set".rows[0][1]')" 245
like "another hash" "$(ask config-hash-get | jq -r .arguments.hash)" "^[0-9a-f]{64}$"
is "really another" "$([ "$(ask config-hash-get | jq -r .arguments.hash)" = "$hash" ]; echo $?)" 1
is "write" "$(ask config-write | jq .result)" 0
is "a set that fails changes nothing" "$(ask config-set '{"Dhcp4":{"subnet4":[{"id":1,"subnet":"x"}]}}' | jq .result) $(state '.subnets[0].size')" "1 245"
holds "subnets" "$(ask subnet4-list)" '.arguments.subnets[0] == {"id":1,"subnet":"10.11.0.0/24"}'

# --- reservations
r='{"reservation":{"subnet-id":1,"hw-address":"a4:83:e7:12:34:56","ip-address":"10.11.0.240"}}'
is "reserve" "$(ask reservation-add "$r" | jq .result)" 0
is "twice" "$(ask reservation-add "$r" | jq .result)" 1
holds "read" "$(ask reservation-get '{"subnet-id":1,"ip-address":"10.11.0.240"}')" '.arguments."hw-address" == "a4:83:e7:12:34:56"'
mist "/sites/$site/clients/a483e7123456/disconnect" -X POST
advance 6
is "the client gets it" "$(troubled ip)" 10.11.0.240
is "remove" "$(ask reservation-del '{"subnet-id":1,"identifier-type":"hw-address","identifier":"a4:83:e7:12:34:56"}' | jq .result)" 0
is "remove again" "$(ask reservation-del '{"subnet-id":1,"ip-address":"10.11.0.240"}' | jq .result)" 3
holds "reads are not in the record" "$(writes)" '[.[].body.command? // empty] | index("lease4-get") == null and index("config-get") == null and index("lease4-add") != null'
finish
