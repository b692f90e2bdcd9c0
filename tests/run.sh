#!/usr/bin/env bash
# Sets up what is missing, builds, and runs all tests. Can be run twice; works as root or with sudo.
#   tests/run.sh            everything: debug build with gcc, ASan and UBSan build, the include rule, a build with clang
#   tests/run.sh unit       only the tests with this label, in the ASan build (unit plugins language peers faults fuzz)
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'tests/run.sh: %s\n' "$*" >&2; exit 1; }

. tests/support/packages.sh
install_packages build test

jobs=$(nproc)
if [ $# -ge 1 ]; then
    say "build (asan)"
    cmake --preset asan >/dev/null && cmake --build --preset asan -j "$jobs" || fail "the build failed"
    say "tests: $1"
    exec ctest --preset asan -j "$jobs" -L "$1" --no-tests=error
fi

say "build with clang, without a warning"
cmake --preset clang -DFETTLE_TESTS=OFF >/dev/null && cmake --build --preset clang -j "$jobs" || fail "the build with clang failed"
say "build for release, with gcc, without a warning"
cmake --preset release -DFETTLE_TESTS=OFF >/dev/null && cmake --build --preset release -j "$jobs" || fail "the release build failed"
say "build with ASan and UBSan"
cmake --preset asan >/dev/null && cmake --build --preset asan -j "$jobs" || fail "the build with sanitizers failed"
say "all tests, leaks fatal"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
ctest --preset asan -j "$jobs" --no-tests=error 2>&1 | tee "$log" || status=$?
# ctest counts programs and scripts; each of them checks many cases.
total=$(sed -n 's/.* tests failed out of \([0-9]*\)$/\1/p' "$log" | tail -n 1)
failed=$(sed -n 's/.*, \([0-9]*\) tests failed out of .*/\1/p' "$log" | tail -n 1)
skipped=$(grep -c '\*\*\*Skipped' "$log" || true)
printf '\n%d passed, %d failed, %d skipped\n' "$((${total:-0} - ${failed:-0} - skipped))" "${failed:-0}" "$skipped"
exit "$status"
