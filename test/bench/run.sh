#!/usr/bin/env bash
# Every benchmark there is, one after another, each with its table and ratios.
#
#   run.sh [NAME…]     default: all of them
set -euo pipefail
cd "$(dirname "$0")"
if [ $# -gt 0 ]; then
    benchmarks=("${@/%/.sh}")
else
    benchmarks=()
    for file in *.sh; do
        [ "$file" = run.sh ] || [ "$file" = server.sh ] || [ "$file" = gateway_listener.sh ] || benchmarks+=("$file")
    done
fi
for benchmark in "${benchmarks[@]}"; do
    printf '\n== %s\n' "${benchmark%.sh}"
    ./"$benchmark"
done
