#!/bin/bash
# The policies that ship as an example, and those of schemas/POLICY.md: they load, and say what the documents promise.
set -u
source=${FETTLE_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
fettle=${FETTLE_BUILD:-$source/build/asan}/bin/fettle
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

expect() { # name wanted text
    grep -qF -- "$2" <<< "$3" || { echo "FAIL: $1: '$2' is not in:"; echo "$3"; failures=$((failures + 1)); }
}
refuse() { # name unwanted text
    ! grep -qF -- "$2" <<< "$3" || { echo "FAIL: $1: '$2' is in:"; echo "$3"; failures=$((failures + 1)); }
}

# ---- the page
sed -n '/^```yaml$/,/^```$/p' "$source/schemas/POLICY.md" | sed '/^```/d' > "$scratch/fettle.yaml"
[ -s "$scratch/fettle.yaml" ] || { echo "FAIL: no example on the page"; exit 1; }
said=$("$fettle" check --config "$scratch/fettle.yaml" 2>&1) || { echo "FAIL: the page's example does not load: $said"; failures=1; }

# ---- the example
example=$source/examples/policies/fettle.yaml
said=$("$fettle" policy --config "$example" --store "$scratch/store.db" --at "2026-11-26 10:00" 2>&1) || { echo "FAIL: $said"; failures=1; }
expect rules "next: Sun 2026-11-29 02:00 CET, until Sun 2026-11-29 04:00 CET" "$said"
expect rules "next: Sat 2026-12-05 22:00 CET, until Sun 2026-12-06 02:00 CET" "$said"
expect rules "next: Sun 2027-01-10 00:00 CET, until Sun 2027-01-10 06:00 CET" "$said"
expect rules "next: Thu 2026-12-24 00:00 CET, until Sun 2026-12-27 00:00 CET" "$said"
expect rules "every write of a change that is standard: approval by change-board (2 people); only in the window weekly, monthly or quarterly; asked for 7 d before" "$said"

cat > "$scratch/t.yaml" <<'PLAYBOOK'
fettle: 1
name: t
title: Restart an access point
category: change
params:
  site: {type: site}
steps:
  - id: restart
    run: http.request
    with: {url: "https://example.org/restart", method: POST}
    undo: none
    then: done
outcomes:
  done: {title: Done}
PLAYBOOK
sed 's/^category: change/&\nchange: routine/' "$scratch/t.yaml" > "$scratch/routine.yaml"
ask() { "$fettle" policy test "$scratch/${playbook:-t}.yaml" --config "$example" --store "$scratch/store.db" "$@" 2>&1; }
said=$(ask --at "2026-11-26 10:00")
expect normal "change: normal" "$said"
expect normal "approval       by manager (1) (policy 'category normal')" "$said"
said=$(ask --at "2026-11-26 10:00" --change emergency)
expect emergency "approval       by cto (1), or break glass" "$said"
refuse emergency "manager" "$said"
said=$(playbook=routine ask --at "2026-12-20 10:00" --requested "2026-12-01")
expect freeze "freeze 'year_end'" "$said"
expect freeze "from Mon 2027-01-04 06:00 CET on" "$said"
said=$(ask --at "2026-12-20 10:00" --change emergency)
refuse freeze "year_end" "$said"
said=$(ask --at "2026-11-26 10:00" --change routine) && { echo "FAIL: a run chose the category that nobody approves"; failures=$((failures + 1)); }
expect "own choice" "so it is 'normal', and a run cannot make it 'routine'" "$said"
said=$(playbook=routine ask --at "2026-11-26 10:00")
expect "lead time" "it may be done from Fri 2026-11-27 10:00 CET on" "$said"
said=$(ask --at "2026-11-26 10:00" --site Hospital) && { echo "FAIL: a write that is refused ends with 0"; failures=$((failures + 1)); }
expect never "its own people change it (policy 'the hospital')" "$said"
said=$(ask --at "2026-11-26 10:00" --change emergencie)
expect mistake "did you mean 'emergency'?" "$said"
said=$(ask --at yesterday)
expect mistake "'yesterday' is no time" "$said"
said=$("$fettle" policy tset 2>&1)
expect mistake "'tset' is neither" "$said"
sed -i 's/run: http.request/run: mist.ap_restart/; s/with: .*/with: {device: AP-1}/' "$scratch/routine.yaml"
said=$(playbook=routine ask --at "2026-11-26 10:00") && { echo "FAIL: what users notice is routine"; failures=$((failures + 1)); }
expect routine "no routine change" "$said"
# ---- several writes that each fit
cat > "$scratch/three.yaml" <<'PLAYBOOK'
fettle: 1
name: three
title: Three writes
category: change
change: normal
steps:
  - {id: a, run: http.request, with: {url: "https://example.org/a", method: POST}, undo: none, timeout: 30m}
  - {id: b, run: http.request, with: {url: "https://example.org/b", method: POST}, undo: none, timeout: 30m}
  - {id: c, run: http.request, with: {url: "https://example.org/c", method: POST}, undo: none, timeout: 30m, then: done}
outcomes:
  done: {title: Done}
PLAYBOOK
said=$(playbook=three ask --at "2026-11-29 02:45" --requested 2026-11-01)
expect together "all 3 writes may take up to 1 h 30 min with their verification and undo, and there are 1 h 15 min until Sun 2026-11-29 04:00 CET" "$said"
expect "no site" "site           not known from the parameters" "$said"
said=$(playbook=three ask --at "2026-11-29 02:25" --requested 2026-11-01)
refuse together "all 3 writes" "$said"

# ---- the main playbook under the example
said=$("$fettle" policy test "$source/playbooks/incident/client-connectivity.yaml" --config "$example" --store "$scratch/store.db" --at "2026-11-26 10:00" site=HQ 2>&1) || { echo "FAIL: $said"; failures=$((failures + 1)); }
expect "main playbook" "! restart: mist.ap_restart (disruptive)" "$said"
expect "main playbook" "needs approval it needs the approval of network-lead (1, policy 'users notice')" "$said"
expect "main playbook" "budget         5 of 5 left in 1 h" "$said"
said=$("$fettle" policy test "$source/playbooks/incident/client-connectivity.yaml" --config "$example" --store "$scratch/store.db" --at "2026-11-29 02:30" site=HQ 2>&1)
refuse "main playbook in the window" "by network-lead (1)" "$(grep -A4 'cycle:' <<< "$said")"
while IFS= read -r line; do                     # what the README shows of it is what it says
    expect README "${line#    }" "$("$fettle" policy test "$source/playbooks/incident/client-connectivity.yaml" --config "$example" --store "$scratch/store.db" --at "2026-11-26 10:00" site=HQ 2>&1)"
done < <(sed -n '/^    client-connectivity · as of/,/^    \$ /p' "$source/README.md" | grep -v '…\|^    \$')

# ---- doctor says what was read, and what will hold changes for ever
said=$("$fettle" doctor --config "$example" --store "$scratch/store.db" 2>&1)
expect doctor "6 policies, 3 windows, 2 freezes, 4 categories of changes" "$(tr -s ' \n' ' ' <<< "$said")"
cat > "$scratch/doubts.yaml" <<'CONFIG'
fettle: 1
roles: {lead: }
people: {ann: {email: ann@example.org, roles: [lead]}, ann-adm: {email: Ann@Example.org}}
windows: {past: {from: "2020-01-01 02:00", to: "2020-01-01 04:00"}}
policies:
  - {name: two, approval: {role: lead, count: 2}, windows: past}
  - {name: glass, approval: {role: lead, break_glass: true}}
CONFIG
said=$("$fettle" doctor --config "$scratch/doubts.yaml" --store "$scratch/store.db" 2>&1) && { echo "FAIL: doctor finds nothing"; failures=$((failures + 1)); }
said=$(tr -s ' \n' ' ' <<< "$said")
expect doctor "policy 'two' asks for the approval of 2 lead, and 1 person has that role: it can never be given" "$said"
expect doctor "policy 'glass' lets the glass be broken, and \`approvals: notify\` is empty: nobody would be told" "$said"
expect doctor "'ann' and 'ann-adm' have the same mail address" "$said"
sed 's/ann-adm/Ann/' "$scratch/doubts.yaml" > "$scratch/twice.yaml"
expect people "'ann' is a person already: upper and lower case do not make two" "$("$fettle" check --config "$scratch/twice.yaml" 2>&1)"
expect doctor "window 'past' never opens again" "$said"
exit $((failures > 0))
