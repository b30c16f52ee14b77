#!/usr/bin/env bash
# The long forms of tests that make check runs short, one after the other: about two hours.
#
#   long.sh [WORD]     only those whose line has the word: storm, soak, kills, …
#
# What each printed is kept in .build/check/long. A line ends with "passed" or with the end of what failed.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
out=$root/.build/check/long
mkdir -p "$out"

# Variables, then what pytest is to run.
forms=(
    "REASON_SOAK_SECONDS=600 test/trace/test_soak.py"
    "REASON_STORM_FAULTS=250 test/sidecar/test_storm.py"
    "REASON_SIDECAR_KILLS=500 test/sidecar/test_failover.py"
    "REASON_KAFKA_EVENTS=100000 test/sidecar/test_kafka.py -k kills"
    "REASON_HOSTILE=long test/sidecar/test_hostile_store.py"
    "REASON_HOSTILE=long test/sidecar/test_witnesses.py"
    "REASON_MALFORMED_REQUESTS=10000 test/e2e/test_hostile_clients.py"
    "REASON_TEST_SETTINGS=reason.adjacency_cache_size=1GB REASON_HOSTILE_SIZE=1000000 REASON_HOSTILE_CANCELS=10 test/trace/test_hostile.py"
    "REASON_WORN_STEPS=150 test/trust/test_worn_tables.py"
    "REASON_REINDEX_ROUNDS=3 test/trust/test_reindex.py"
    "REASON_TAMPERINGS=10000 test/trust/test_tampering.py -k random"
    "REASON_PARALLEL_EVENTS=20000 test/trust/test_parallel_verify.py"
    "REASON_REDACTION_CASES=1000 test/trust/test_redaction.py"
    "REASON_TRACE_ROUNDS=1000 test/trace/test_reference.py"
    "REASON_PAGES_SECONDS=300 test/trace/test_pages.py -k busy"
)

status=0
for form in "${forms[@]}"; do
    case $form in *"${1:-}"*) ;; *) continue ;; esac
    read -ra words <<<"$form"
    variables=()
    while [[ ${words[0]} == *=* ]]; do
        variables+=("${words[0]}")
        words=("${words[@]:1}")
    done
    log=$out/$(basename "${words[0]}" .py).log
    began=$(date +%s)
    if env "${variables[@]}" /usr/bin/python3 -m pytest -q -s --tb=short "${words[@]}" >"$log" 2>&1; then
        verdict=passed
    else
        verdict=failed
        status=1
    fi
    printf '%-8s %5d s  %s\n' $verdict $(($(date +%s) - began)) "$form"
    [ $verdict = passed ] || tail -n 60 "$log"
done
exit $status
