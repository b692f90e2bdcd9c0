# Scenario files: every one of the lab starts and is mentioned in its README; mistakes are found with their place; nothing is left behind.
. "$(dirname "$0")/lib.sh"

for file in "$scenarios"/*.yaml; do
    name=$(basename "$file" .yaml)
    lab_start "$name"
    is "$name: injected" "$(state '[.faults[] | if type == "object" then keys[0] else . end] | join(" ")')" "\"$([ "$name" = healthy ] || echo "$name")\""
    like "$name: said what is wrong" "$(head -1 "$scratch/out")" "^$(sed -n 's/^title: //p' "$file" | tr -d '"' | cut -c1-20)"
    is "$name: in the README" "$(grep -c "\`$name\`" "$scenarios/../README.md")" 1
done
like "says what to try" "$(cat "$scratch/out")" "client a4:83:e7:12:34:56; try: fettle run client-connectivity client=a4:83:e7:12:34:56 --config .*/fettle.yaml"

# --- mistakes: each line of the table is a file's text and what must be said of it
mistake() {                           # what, text, expected line
    printf '%b' "$2" >"$scratch/bad.yaml"
    "$lab_program" "$scratch/bad.yaml" --dir "$scratch/none" >"$scratch/said" 2>&1
    is "$1: status" $? 2
    like "$1" "$(cat "$scratch/said")" "$3"
    is "$1: nothing made" "$([ -e "$scratch/none" ]; echo $?)" 1
}
mistake "unknown key" 'sped: 20\n' "bad.yaml:1:1: error: a scenario has no 'sped' \(did you mean 'speed'\?\)"
mistake "speed too high" 'speed: 1e9\n' 'bad.yaml:1:'
mistake "speed that is none" 'speed: fast\n' 'bad.yaml:1:8: error: speed is a number from 0 to 10000'
mistake "unknown fault" 'faults:\n  - dns_brokn\n' "bad.yaml:2:5: error: there is no fault 'dns_brokn' \(did you mean 'dns_broken'\?\)"
mistake "unknown fault with parameters" 'faults:\n  - dns_brokn: {how: silent}\n' "bad.yaml:2:5: error: there is no fault"
mistake "faults that are no list" 'faults: dns_broken\n' 'bad.yaml:1:9: error: faults is a list'
mistake "a list for a fault" 'faults:\n  - [a]\n' 'bad.yaml:2:5: error: a fault is a name'
mistake "no map" '- a\n' 'bad.yaml:1:1: error: a scenario is a map'
mistake "duplicate key" 'speed: 1\nspeed: 2\n' 'bad.yaml:2:1: error'
mistake "since too long" 'since: 3d\n' 'bad.yaml:1:8: error: since is a time of at most a day'
mistake "truth of the wrong kind" 'bounce_cuts_poe: 1\n' 'bad.yaml:1:18: error: bounce_cuts_poe is true or false'
printf 'faults:\n  - ap_hung: {app: x}\n' >"$scratch/bad.yaml"
like "unknown parameter" "$("$lab_program" "$scratch/bad.yaml" --dir "$scratch/none" 2>&1)" "fault 'ap_hung' has no parameter 'app'"
like "no file" "$("$lab_program" "$scratch/nowhere.yaml" 2>&1)" 'nowhere.yaml:1:1: error'
like "no scenario" "$("$lab_program" 2>&1)" '^usage: fettle-lab SCENARIO.yaml'
like "a port that is none" "$("$lab_program" healthy --port 99999 2>&1)" "'99999' is not a port"

# --- several faults at once; time of the faults; speed
printf 'since: 1m\nfaults: [dns_broken, {wan_latency: {ms: 333}}]\n' >"$scratch/two.yaml"
lab_start "$scratch/two.yaml"
holds "both" "$(state '{dns: .services.dns, wan_ms, speed}')" '.dns == false and .wan_ms == 333 and .speed == 0'
is "a minute of evidence" "$(($(events | grep -c MARVIS_DNS_FAILURE) < 5))" 1
holds "stamps agree with the clock of whoever asks" "$(mist "/sites/$site/clients/a483e7123456/events")" ".results[0].timestamp | . <= $(date +%s) + 1 and . > $(date +%s) - 120"

# --- a port that is taken
lab_start healthy
like "port taken" "$("$lab_program" "$scenarios/healthy.yaml" --port "${url##*:}" --dir "$scratch/second" 2>&1)" "cannot listen on 127.0.0.1:${url##*:}; choose another --port"
is "and nothing left of it" "$([ -e "$scratch/second" ]; echo $?)" 1

# --- the end: files go, unless they are somebody's, or --keep; sshd goes too
is "pid file" "$(cat "$dir/lab.pid")" "$pid"
touch "$dir/mine.txt"
lab_end
is "only what it made is removed" "$(ls "$scratch/lab")" mine.txt
lab_start healthy --keep
mist "/sites/$site/clients/a483e7123456/disconnect" -X POST
lab_end
is "kept" "$(jq -c '[.system, .done]' "$scratch/lab/writes.jsonl")" '["mist",true]'
lab_start healthy
mkfifo "$scratch/keys"
ssh_to sw-2 -tt <"$scratch/keys" >"$scratch/screen" 2>/dev/null &
session=$!
exec 8>"$scratch/keys"
timeout 20 bash -c "until grep -q 'lab@sw-2>' '$scratch/screen'; do :; done"
lab_end
timeout 20 tail --pid="$session" -f /dev/null
is "a session does not outlive the lab" $? 0
exec 8>&-
is "nothing of its directory is left" "$([ -e "$scratch/lab" ]; echo $?)" 1
finish
