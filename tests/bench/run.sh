#!/usr/bin/env bash
# The benchmarks: one line of JSON a figure with its limits, ratios each the median of pairs taken in turn in this run. Exit status 1 when a limit is
# not met, and which it was, at the end; what noise can move is measured three times before that is said.
#   tests/bench/run.sh            all
#   tests/bench/run.sh startup    only these (startup, check, playbook, flushes, transitions, parked, recovery)
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/support/packages.sh
install_packages build bench
cmake --preset release -DFETTLE_TESTS=OFF -DFETTLE_BENCH=ON >/dev/null
cmake --build --preset release -j "$(nproc)" >/dev/null
exec python3 tests/bench/bench.py build/release "$@"
