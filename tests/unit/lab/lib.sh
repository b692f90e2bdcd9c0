# lib.sh: for the scripts here. A script that includes it starts labs, asks them, and says at the end how many checks failed.
set -u
lab_program=$FETTLE_BUILD/bin/fettle-lab
scenarios=$FETTLE_SOURCE/examples/lab/scenarios
scratch=$(mktemp -d)
pid= checks=0 failures=0
trap 'lab_end; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

# lab_start SCENARIO|FILE [option …]: sets url, ise_url, dir, dns_port, org, site. Its time stands still: `advance` moves it.
lab_start() {
    local file=$1 line
    [ -f "$file" ] || file=$scenarios/$1.yaml
    shift
    lab_end
    rm -rf "$scratch/lab" "$scratch/ready"
    mkfifo "$scratch/ready"
    "$lab_program" "$file" --dir "$scratch/lab" --speed 0 --ready-fd 7 "$@" 7>"$scratch/ready" >"$scratch/out" 2>"$scratch/err" &
    pid=$!
    read -r line <"$scratch/ready" || { echo "the lab did not start: $(cat "$scratch/err")"; exit 1; }
    url=$(jq -r .url <<<"$line") ise_url=$(jq -r .ise_url <<<"$line") dir=$(jq -r .dir <<<"$line") dns_port=$(jq -r .dns_port <<<"$line")
    org=$(curl -s "$url/lab/state" | jq -r .org_id)
    site=$(curl -s "$url/lab/state" | jq -r '.sites[0].id')
}

# With the sanitizers the exit status tells of leaks.
lab_end() {
    [ -n "$pid" ] || return 0
    kill -TERM "$pid"
    wait "$pid"
    is "exit status of the lab" "$?" 0
    [ -s "$scratch/err" ] && { echo "the lab said:"; cat "$scratch/err"; failures=$((failures + 1)); }
    pid=
}

is() {                                # what, seen, expected
    checks=$((checks + 1))
    [ "$2" = "$3" ] && return 0
    failures=$((failures + 1))
    echo "${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $1: '$2' instead of '$3'"
}

like() {                              # what, seen, extended regular expression
    checks=$((checks + 1))
    grep -Eq -- "$3" <<<"$2" && return 0
    failures=$((failures + 1))
    echo "${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $1: '$2' is not like '$3'"
}

holds() {                             # what, JSON, jq filter that must be true
    checks=$((checks + 1))
    jq -e "$3" >/dev/null 2>&1 <<<"$2" && return 0
    failures=$((failures + 1))
    echo "${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $1: not true: $3 of $(head -c 700 <<<"$2")"
}

mist() { curl -s -H "Authorization: Token $(cat "$dir/mist.token")" "${@:2}" "$url/api/v1$1"; }
mist_status() { curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Token $(cat "$dir/mist.token")" "${@:2}" "$url/api/v1$1"; }
ise() { curl -s -u "fettle:$(cat "$dir/ise.password")" -H 'Accept: application/json' "${@:2}" "$ise_url$1"; }
kea() { curl -s -u "fettle:$(cat "$dir/kea.password")" -H 'Content-Type: application/json' -d "{\"command\":\"$1\",\"service\":[\"dhcp4\"]${2:+,\"arguments\":$2}}" "$url/kea"; }
snow() { curl -s -u "fettle:$(cat "$dir/servicenow.password")" -H 'Content-Type: application/json' "${@:2}" "$url/api/now$1"; }
advance() { curl -s -d "{\"advance_s\":$1}" "$url/lab/time" >/dev/null; }
state() { curl -s "$url/lab/state" | jq -c "$1"; }
writes() { curl -s "$url/lab/writes"; }
troubled() { state ".troubled.$1" | tr -d '"'; }
ap() { state ".aps[] | select(.name == \"$1\") | .$2" | tr -d '"'; }
events() { mist "/sites/$site/clients/a483e7123456/events?limit=1000&duration=1h" | jq -r '.results[].type'; }
port_of() { state ".switches[] | select(.name == \"$1\") | .ssh_port"; }
ssh_to() {                            # switch, ssh option or command …
    ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o "UserKnownHostsFile=$dir/known_hosts" -o StrictHostKeyChecking=yes \
        -o KexAlgorithms=curve25519-sha256 -o LogLevel=ERROR -i "$dir/ssh/client_key" -p "$(port_of "$1")" 127.0.0.1 "${@:2}"
}

finish() {
    lab_end
    echo "$checks checks, $failures failed"
    [ "$failures" = 0 ]
}
