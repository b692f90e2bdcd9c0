# The switches of the lab, over a real sshd with the system's ssh client: commands, the terminal, configuration.
. "$(dirname "$0")/lib.sh"
lab_start healthy

# in_terminal SWITCH KEYS: types when the prompt is there; prints all that was seen. screen-length 0 comes first, so that nothing pages.
in_terminal() {
    local greeting
    coproc term { ssh_to "$1" -tt 2>/dev/null; }
    local out=${term[0]} in=${term[1]} child=$term_PID
    read -r -d '>' -t 30 greeting <&"$out"
    printf '%s>' "$greeting" | tr -d '\r'
    printf '%b' "$2" >&"$in"
    tr -d '\r' <&"$out"
    wait "$child" 2>/dev/null
}
typed() { in_terminal sw-2 "$(printf '%s\\r' 'set cli screen-length 0' "$@" exit)"; }

# --- commands, one connection each
like "version" "$(ssh_to sw-2 'show version')" '^Hostname: sw-2$'
holds "version as JSON" "$(ssh_to sw-2 'show version | display json | no-more')" '."software-information"[0]."host-name"[0].data == "sw-2"'
holds "both members of a virtual chassis" "$(ssh_to sw-1 'show version | display json')" '."multi-routing-engine-results"[0]."multi-routing-engine-item" | length == 2'
like "ports" "$(ssh_to sw-2 'show interfaces terse | match ge-0/0/12')" '^ge-0/0/12 +up +up$'
port=$(ssh_to sw-2 'show interfaces ge-0/0/12 extensive | display json')
holds "one port" "$port" '."interface-information"[0]."physical-interface" | length == 1 and (.[0] | ."oper-status"[0].data == "up" and ."speed"[0].data == "1000mbps"
    and (."interface-flapped"[0].attributes."junos:seconds" | tonumber > 86400) and ."input-error-list"[0]."input-errors"[0].data == "0")'
like "one port as text" "$(ssh_to sw-2 'show interfaces ge-0/0/12')" 'Physical interface: ge-0/0/12, Enabled, Physical link is Up'
like "no such port" "$(ssh_to sw-2 'show interfaces ge-0/0/99')" '^error: device ge-0/0/99 not found$'
ssh_to sw-2 'show interfaces ge-0/0/99' >/dev/null
is "an error has exit status 0" $? 0
like "unknown command" "$(ssh_to sw-2 'sing a song')" '^unknown command\.$'
like "syntax error, with its mark" "$(ssh_to sw-2 'show bogus')" '^syntax error, expecting <command>\.$'
holds "neighbours" "$(ssh_to sw-2 'show lldp neighbors | display json')" '[."lldp-neighbors-information"[0]."lldp-neighbor-information"[]."lldp-remote-system-name"[0].data] == ["AP-3F-11","AP-3F-12","AP-3F-13","sw-1"]'
holds "capabilities of one" "$(ssh_to sw-2 'show lldp neighbors interface ge-0/0/12 | display json')" '[.. | ."lldp-remote-system-capabilities-enabled"? // empty] == [[{"data":"Bridge WLAN Access Point"}]]'
holds "power" "$(ssh_to sw-2 'show poe interface ge-0/0/12 | display json')" '[.. | ."interface-status-detail"? // empty] == [[{"data":"ON"}]]'
like "power as text" "$(ssh_to sw-2 'show poe interface')" '^ge-0/0/12 +Enabled +ON'
holds "the client's MAC address" "$(ssh_to sw-2 'show ethernet-switching table | display json')" '[.. | ."l2ng-mac-entry"? // empty | .[] | select(."l2ng-l2-mac-address"[0].data == "a4:83:e7:12:34:56")
    | ."l2ng-l2-mac-logical-interface"[0].data, ."l2ng-l2-mac-vlan-name"[0].data] == ["ge-0/0/12.0","staff"]'
like "the same as text" "$(ssh_to sw-2 'show ethernet-switching table | match a4:83')" 'staff +a4:83:e7:12:34:56 +D +- +ge-0/0/12\.0'
like "VLANs" "$(ssh_to sw-2 'show vlans')" 'staff +110'
like "configuration as lines" "$(ssh_to sw-2 'show configuration interfaces ge-0/0/12 | display set')" '^set interfaces ge-0/0/12 unit 0 family ethernet-switching vlan members staff$'
like "configuration as hierarchy" "$(ssh_to sw-2 'show configuration interfaces ge-0/0/12')" 'members \[ guest mgmt staff voice \];'
like "uptime" "$(ssh_to sw-2 'show system uptime')" '^System booted: .* ago\)$'
like "several in one" "$(ssh_to sw-2 'configure; set poe interface ge-0/0/3 disable; show | compare; rollback 0; exit; show version')" 'Hostname: sw-2'

# --- who may come in
is "another key is refused" "$(ssh-keygen -q -t ed25519 -N '' -f "$scratch/stranger" && ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o LogLevel=ERROR \
    -o "UserKnownHostsFile=$dir/known_hosts" -i "$scratch/stranger" -p "$(port_of sw-2)" 127.0.0.1 true 2>&1 | grep -c 'Permission denied')" 1
is "each switch has its own host key" "$(cut -d' ' -f3 "$dir/known_hosts" | sort -u | wc -l)" 3
is "secrets are for the owner only" "$(stat -c %a "$dir/mist.token" "$dir/ise.password" "$dir/kea.password" "$dir/servicenow.password" "$dir/noc.webhook" "$dir/fettle.yaml" "$dir/ssh/client_key" "$dir/ssh" | tr '\n' ' ')" "600 600 600 600 600 600 600 700 "

# --- the terminal
seen=$(typed 'show version')
like "greeting" "$seen" '^--- JUNOS 22.4R3.25'
like "prompt, echo, command" "$seen" '^lab@sw-2> show version'
like "virtual chassis" "$(in_terminal sw-1 'show cli\rexit\r')" '^\{master:0\}$'
like "backspace" "$(in_terminal sw-2 'show verx\0177sion | match Host\rexit\r')" '^Hostname: sw-2$'
like "^C drops the line" "$(in_terminal sw-2 'nonsense\003show version | match Host\rexit\r')" '^Hostname: sw-2$'
like "screen length" "$seen" '^Screen length set to 0$'
paged=$(in_terminal sw-2 'set cli screen-length 10\rshow interfaces\r qexit\r')
is "paged twice: a page more, then enough" "$(grep -o -- '---(more)---' <<<"$paged" | wc -l)" 2
like "paging off by the command" "$(in_terminal sw-2 'set cli screen-length 5\rshow interfaces terse | no-more\rexit\r')" '^ge-0/0/25\.0'

# --- configuration
seen=$(typed 'configure exclusive' 'set poe interface ge-0/0/5 disable' 'show | compare' 'commit check' 'commit comment "fettle run 42"' 'exit')
like "in" "$seen" '^Entering configuration mode$'
like "banner and prompt" "$seen" '^lab@sw-2# set poe'
like "difference" "$seen" '^\+ +disable;$'
like "check" "$seen" '^configuration check succeeds$'
like "commit" "$seen" '^commit complete$'
like "out" "$seen" '^Exiting configuration mode$'
like "history with the comment" "$(ssh_to sw-2 'show system commit')" '^    fettle run 42$'
holds "in the record, as commands" "$(writes)" '.[-1] | .system == "switch" and .method == "commit" and .path == "sw-2" and .commands == ["set poe interface ge-0/0/5 disable"]
    and .body.comment == "fettle run 42" and .done'
like "nothing differs now" "$(typed 'configure private' 'set poe interface ge-0/0/5 disable' 'show | compare' 'exit' | grep -A3 compare)" '^\[edit\]$'
seen=$(typed 'configure exclusive' 'load set terminal' 'delete poe interface ge-0/0/5' 'set vlans test vlan-id 700' '\004show | compare' 'commit' 'exit')
like "load" "$seen" '^\[Type \^D at a new line to end input\]$'
like "loaded" "$seen" '^load complete$'
like "a removal is shown" "$seen" '^- +interface ge-0/0/5 \{$'
like "an addition is shown" "$seen" '^\+ +vlan-id 700;$|^\+ +test \{$'
holds "in force" "$(state '.switches[1].config')" 'index("set vlans test vlan-id 700") and (index("set poe interface ge-0/0/5 disable") | not)'
seen=$(typed 'configure exclusive' 'load set terminal' 'set nonsense x' '\004show | compare' 'exit')
like "errors of a load" "$seen" '^load complete \(1 errors\)$'
seen=$(typed 'configure exclusive' 'set interfaces ge-0/0/20 unit 0 family ethernet-switching vlan members nowhere' 'commit' 'exit' 'yes')
like "a commit that does not pass" "$seen" '^error: configuration check-out failed$'
like "says why" "$seen" 'No vlan matches vlan tag nowhere for interface ge-0/0/20\.0'
like "asks before it throws away" "$seen" 'Discard uncommitted changes\? \[yes,no\] \(yes\)'
like "syntax error in a statement" "$(typed 'configure private' 'set bogus x' 'exit')" '^syntax error\.$'
like "delete of what is not there" "$(typed 'configure private' 'delete vlans nope' 'exit')" '^warning: statement not found$'
like "one value replaces the other" "$(typed 'configure private' 'set interfaces ge-0/0/3 description a' 'set interfaces ge-0/0/3 description b' 'show interfaces ge-0/0/3 | display set | match description | count' 'rollback 0' 'exit')" '^Count: 1 lines$'

# --- two at once
mkfifo "$scratch/keys" "$scratch/screen"
ssh_to sw-2 -tt <"$scratch/keys" >"$scratch/screen" 2>/dev/null &
holder=$!
exec 8>"$scratch/keys" 9<"$scratch/screen"
printf 'configure exclusive\r' >&8
while read -r -d '#' -t 20 line <&9 && [[ $line != *"lab@sw-2"* ]]; do :; done
like "exclusive keeps others out" "$(typed 'configure exclusive')" '^error: configuration database locked by:$'
like "private too" "$(typed 'configure private')" '^error: configuration database locked by:$'
printf 'exit\rexit\r' >&8
cat <&9 >/dev/null
wait "$holder"
exec 8>&- 9<&-
like "until it is left" "$(typed 'configure exclusive' 'exit')" '^Entering configuration mode$'

# --- commit confirmed: its clock is the user's, not the lab's
typed 'configure exclusive' 'set poe interface ge-0/0/12 disable' 'commit confirmed 2 comment "try"' 'exit' >/dev/null
is "in force at once" "$(ap AP-3F-12 state)" off
holds "waits to be confirmed" "$(state '.switches[1]')" '.unconfirmed and .rollback_in > 100 and .rollback_in <= 120'
advance 90
is "still in force" "$(ap AP-3F-12 state)" off
advance 31
is "taken back" "$(ap AP-3F-12 state) $(state '.switches[1].unconfirmed')" "booting false"
typed 'configure exclusive' 'set poe interface ge-0/0/12 disable' 'commit confirmed 2' 'exit' >/dev/null
like "said above the prompt" "$(typed 'configure exclusive' 'commit' 'exit')" '^# commit confirmed will be rolled back in 2 minutes$'
advance 300
is "confirmed, so it stays" "$(ap AP-3F-12 state)" off
typed 'configure exclusive' 'rollback 2' 'commit' 'exit' >/dev/null
is "rollback to before" "$(ap AP-3F-12 state)" booting

# --- a switch that is down
curl -s -d '{"switch_down":{"switch":"sw-2"}}' "$url/lab/fault" >/dev/null
like "refuses connections" "$(ssh_to sw-2 'show version' 2>&1; timeout 5 bash -c "until ! : </dev/tcp/127.0.0.1/$(port_of sw-2); do :; done" 2>&1)" 'refused'
finish
