#!/usr/bin/env bash
# Every test there is, suite by suite, in lanes side by side, and one closing line of totals.
#
#   check.sh [SUITE…]     default: all of them but uncached, in lanes; named suites run one after the other
#   check.sh --fast       what says most in least time
#
# test/suites.sh has the suites, test/README.md says what each proves. Ports are free ones, so that several runs and
# stacks stand side by side.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
# shellcheck source=test/stack/lib.sh
. test/stack/lib.sh

out=$root/.build/check
mkdir -p "$out"
chmod 755 "$root/.build" "$out"
python=/usr/bin/python3
prepare_service_user "$out"
# shellcheck source=test/suites.sh
. test/suites.sh

# Lanes take from here what comes next, the longest first, so that they end together. Suites of a line share a server.
# A suite with numbers is run so many times side by side: each takes the files of tests that no other has taken (test/lib/claimed_files.py).
queue=(
    sidecar.{1..5}
    ui
    trace.{1..2}
    tlog
    trust.{1..2}
    pods
    e2e.{1..2}
    engines
    gateway
    "fuzz unit"
    sanitize
    lint
    "verify charts scan"
    crossruntime
    "regress isolation pgtap"
)
# More than processors, because the sidecar's tests wait for half of their time.
lanes=7
fast="lint unit regress isolation pgtap e2e"
with_server=" regress uncached isolation pgtap trace trust crossruntime "

# ---------------------------------------------------------------- a server for SQL tests

server_dir=
server_port=
# start_server SUITE, unless it runs already; its log is kept under the name of the first suite
start_server() {
    [ -z "$server_dir" ] || return 0
    server_port=$(free_ports 1)
    server_for=$1
    server_dir=$(mktemp -d /tmp/reason-check.XXXXXX)
    owned_by_service "$server_dir"
    test/stack/cluster.sh "$server_dir/data" || return 1
    cat >>"$server_dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $server_port
unix_socket_directories = '$server_dir'
shared_preload_libraries = 'reasoning_graph'
max_prepared_transactions = 16
wal_level = logical
fsync = off
CONF
    as_service "$pg_bin/pg_ctl" -D "$server_dir/data" -l "$server_dir/log" -w start >/dev/null
}
stop_server() {
    [ -n "$server_dir" ] || return 0
    as_service "$pg_bin/pg_ctl" -D "$server_dir/data" -m immediate stop >/dev/null 2>&1
    cp "$server_dir/log" "$out/$server_for.postgresql.log" 2>/dev/null
    rm -rf "$server_dir"
    server_dir=
}

# ---------------------------------------------------------------- running them

# run_suites SUITE… : a line each, then its log's end if something failed; counts go into the file $tally
run_suites() {
    local suite began
    trap stop_server EXIT
    for suite in "$@"; do
        passed=0
        failed=0
        began=$(date +%s)
        case $with_server in
            *" ${suite%.*} "*) start_server "$suite" || echo "could not start a server for the tests" >"$out/$suite.log" ;;
        esac
        "suite_${suite%.*}"
        # what runs beside others may find nothing left
        [ $((passed + failed)) -gt 0 ] || [ "${suite#*.}" -gt 1 ] 2>/dev/null || failed=1
        {
            printf '%-14s %5d passed %4d failed %5d s\n' "$suite" "$passed" "$failed" $(($(date +%s) - began))
            [ "$failed" -eq 0 ] || tail -n 80 "$out/$suite.log${again:+.again}"
        } 2>/dev/null
        echo "$suite $passed $failed" >>"$tally"
    done
    stop_server
}

# names_failed SUITE: a line each
names_failed() {
    sed -nE 's/^(FAILED|ERROR) //p; s/^not ok [0-9]+ - //p' "$out/$1.log"
}

# A few of a suite that failed are run once more when all else has ended, alone. Those that pass then count as passed, and are
# named, for somebody to mend: they depend on timing.
run_again() {
    local suite passed failed
    local again=yes first=$tally
    tally=$first.again
    while read -r suite passed failed; do
        if [ "$failed" -gt 0 ] && [ "$failed" -le 3 ] && [ "$(names_failed "$suite" | wc -l)" -eq "$failed" ]; then
            : >"$tally"
            (run_suites "$suite")
            if read -r _ ok bad <"$tally" && [ "$bad" -eq 0 ] && [ "$ok" -eq "$failed" ]; then
                names_failed "$suite" | sed 's/^/unsteady: /'
                passed=$((passed + failed))
                failed=0
            fi
        fi
        echo "$suite $passed $failed" >>"$first.then"
    done <"$first"
    rm -f "$tally"
    tally=$first
    [ ! -f "$first.then" ] || mv "$first.then" "$first"
}

# What of the queue nobody has claimed yet, until nothing is left.
run_lane() {
    local number
    for number in "${!queue[@]}"; do
        mkdir "$claims/$number" 2>/dev/null || continue
        # shellcheck disable=SC2086  # words
        run_suites ${queue[number]}
    done
}

tally=$(mktemp "$out/tally.XXXXXX")
if [ "${1:-}" = --fast ]; then
    # shellcheck disable=SC2086  # words
    set -- $fast
    # shellcheck disable=SC2034  # suites.sh asks for it
    fast_e2e=yes
fi
if [ $# -gt 0 ]; then
    suites=$*
    (run_suites "$@")
else
    suites=${queue[*]}
    claims=$(mktemp -d "$out/claims.XXXXXX")
    for _ in $(seq $lanes); do
        (run_lane) &
    done
    wait
    rm -rf "$claims"
fi
run_again

total_passed=0
total_failed=0
for suite in $suites; do
    if ! counts=$(grep "^$suite " "$tally"); then
        echo "$suite did not end"
        counts="$suite 0 1"
    fi
    read -r _ passed failed <<<"$counts"
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
done
rm -f "$tally"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
