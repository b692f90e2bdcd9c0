#!/usr/bin/env bash
# From nothing to a repaired network: installs what is missing, builds, starts the lab with a fault, and lets fettle find and mend it.
#   examples/quickstart.sh [FAULT]      a scenario of examples/lab/scenarios, without .yaml (default dhcp_pool_exhausted)
# Can be run twice; works as root or with sudo. The lab ends with this script.
set -euo pipefail
cd "$(dirname "$0")/.."

fault=${1:-dhcp_pool_exhausted}
scenario=examples/lab/scenarios/$fault.yaml
client=a4:83:e7:12:34:56
say() { printf '\n== %s\n' "$*"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

[ -f "$scenario" ] || fail "there is no scenario '$fault'; these are: $(cd examples/lab/scenarios && ls | sed 's/[.]yaml$//' | tr '\n' ' ')"

. tests/support/packages.sh
say "what fettle needs from Debian"
install_packages build lab
echo "everything is installed"

say "building (a minute or two the first time)"
log=$(mktemp)
if ! { cmake --preset release -DFETTLE_TESTS=OFF && cmake --build --preset release -j "$(nproc)"; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    fail "the build failed; the lines above say why"
fi
rm -f "$log"
fettle=build/release/bin/fettle
"$fettle" --version

say "a simulated network with a fault in it: $fault"
dir=$(mktemp -d "${TMPDIR:-/tmp}/fettle-quickstart.XXXXXX")
ready=$dir/ready
mkfifo "$ready"
build/release/bin/fettle-lab "$scenario" --port 0 --dir "$dir/lab" --ready-fd 3 3>"$ready" >"$dir/lab.log" 2>&1 &
lab=$!
cleanup() {
    kill "$lab" 2>/dev/null && wait "$lab" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT
if ! read -r -t 30 line <"$ready"; then
    cat "$dir/lab.log" >&2
    fail "the lab did not start; its words stand above"
fi
export FETTLE_CONFIG=$dir/lab/fettle.yaml
echo "$line"

say "fettle run client-connectivity client=$client --yes"
status=0
"$fettle" run client-connectivity "client=$client" --yes --text || status=$?

run=$("$fettle" runs --json --limit 1 | sed -n 's/.*"run":"\([0-9a-f]*\)".*/\1/p')
say "what reached the network"
curl -s "$(sed -n 's/.*\(http:[^ ]*\).*/\1/p' <<<"$line" | head -n 1)/lab/writes" 2>/dev/null | head -c 2000 || true
echo

if [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ]; then
    say "the lab is still running; three things to try in another terminal"
else
    say "three things to try next"
fi
cat <<EOF
  1. See why it went that way:        $fettle why ${run:-RUN}
  2. See what it would do, untouched:  $fettle lab examples/lab/scenarios/ap_hung.yaml
                                       and then, with the configuration it names: $fettle run client-connectivity client=$client --dry-run
  3. Read the playbook, and draw it:   $fettle graph client-connectivity -o flowchart.svg
EOF
if [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ]; then
    echo
    echo "  (for 1, first: export FETTLE_CONFIG=$FETTLE_CONFIG)"
    read -r -p "Enter ends the lab. " _ || true
fi
exit "$status"
