#!/usr/bin/env bash
# What the README shows is true: its playbook and its configuration pass the check, and so do all playbooks of the repository.
set -euo pipefail
fettle=$FETTLE_BUILD/bin/fettle
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
awk -v dir="$dir" '/^```yaml/ { n++; file = dir "/" n ".yaml"; next } /^```/ { file = "" } file { print > file }' "$FETTLE_SOURCE/README.md"
[ -s "$dir/1.yaml" ] && [ -s "$dir/2.yaml" ] || { echo "FAILED: the README has lost its playbook or its configuration"; exit 1; }
cd "$dir"
"$fettle" check "$dir/1.yaml"
"$fettle" check --config "$dir/2.yaml"
count=0
while IFS= read -r -d '' file; do
    "$fettle" check "$file"
    count=$((count + 1))
done < <(find "$FETTLE_SOURCE/playbooks" -name '*.yaml' ! -name '*.test.yaml' -print0)
[ "$count" -ge 1 ] || { echo "FAILED: no playbook was checked"; exit 1; }
# A verb that the README names must be one of the program, and the other way round.
for verb in $("$fettle" --help | awk '/^  [a-z]+ / { print $1 }'); do
    grep -q "fettle $verb" "$FETTLE_SOURCE/README.md" || { echo "FAILED: the README does not name 'fettle $verb'"; exit 1; }
    "$fettle" "$verb" --help >/dev/null
done
echo "README, $count playbooks and every verb's help are in order"
