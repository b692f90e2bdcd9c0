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
dir=$PWD/build/quickstart
rm -rf "$dir"
mkdir -p "$dir"
mkfifo "$dir/ready"
build/release/bin/fettle-lab "$scenario" --port 0 --dir "$dir/lab" --keep --ready-fd 3 3>"$dir/ready" >"$dir/lab.log" 2>&1 &
lab=$!
cleanup() { kill "$lab" 2>/dev/null && wait "$lab" 2>/dev/null || true; }
trap cleanup EXIT
if ! read -r -t 30 _ <"$dir/ready"; then
    cat "$dir/lab.log" >&2
    fail "the lab did not start; its words stand above"
fi
head -n 2 "$dir/lab.log"
export FETTLE_CONFIG=$dir/lab/fettle.yaml

say "fettle run client-connectivity client=$client --yes"
status=0
"$fettle" run client-connectivity "client=$client" --yes --text || status=$?
run=$("$fettle" runs --json --limit 1 | sed -n 's/.*"run":"\([0-9a-f]*\)".*/\1/p')

say "every write that reached the network, as the lab recorded it"
sed -e 's/"from":.*//' -e 's/^{"n":\([0-9]*\),"t":"[^"]*",/\1  /' -e 's/"[a-z]*"://g' "$dir/lab/writes.jsonl" | cut -c1-150

say "three things to try next"
cat <<EOF
  export FETTLE_CONFIG=build/quickstart/lab/fettle.yaml

  1. Why did it go that way?               $fettle why $run
     The drawn way, for the ticket:        $fettle show $run --html > report.html
  2. Another fault, and nothing changed:   $fettle lab examples/lab/scenarios/ap_hung.yaml --dir build/quickstart/two
     then, in another terminal:            $fettle run client-connectivity client=$client --dry-run --config build/quickstart/two/fettle.yaml
  3. The playbook as a flowchart:          $fettle graph client-connectivity -o flowchart.svg
EOF
if [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ]; then
    echo
    read -r -p "The lab is still running. Enter ends it. " _ || true
fi
exit "$status"
