#!/usr/bin/env bash
# What the gateway costs: requests through TLS keep-alive, against pgbench calling the same SQL functions over the local
# socket, with as many database connections and the same arguments: in sessions as anyone has them, and once more in
# sessions with the options that the gateway gives to its own (alike), which leaves HTTP and TLS as the only difference.
#
#   gateway.sh [SECONDS [ROUNDS [CONNECTIONS]]]     default 3, 3, and the gateway's own: 8 for each of its workers
#
# Three workloads: GET of a node, GET of a trace of 63 nodes, POST of a node with durable commits. Both sides run in turn,
# round by round. wrk has no client certificates, so the listener measured asks for none and names the caller itself; over
# keep-alive connections all else is the same. The sidecar is stopped, so that it does not seal during whatever comes next.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-3}
rounds=${2:-3}
connections=${3:-$((8 * $(nproc)))}
RUN_DIR=$(mktemp -d /tmp/reason-bench.XXXXXX)
PORT_BASE=${BENCH_PORT_BASE:-15660}
export RUN_DIR PORT_BASE
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/gateway_listener.sh
. "$root/test/bench/gateway_listener.sh"
port=$((PORT_BASE + 8))
trap stop_listener EXIT
start_listener "$port" "$connections"
stop_process "$RUN_DIR/sidecar.pid" reason-sidecar TERM
stop_process "$RUN_DIR/gateway/nginx.pid" nginx TERM
gateway_options=$(sed -n "s/.*options='\(.*\)'.*/\1/p" "$RUN_DIR/bench/nginx.conf")

# ---------------------------------------------------------------- what is asked for

# A full tree, its root the effect of all others; every node of it has a payload like those of the other workloads.
body='{"type": "observation", "author": "bench", "payload": {"sensor": "rain", "value": 0.25, "unit": "mm", "place": {"lat": 51.5, "lon": -0.12}}}'
# shellcheck disable=SC2119  # the default database
node=$(
    sql <<SQL
CREATE TEMPORARY TABLE tree AS SELECT n, reason.add_node(type => 'observation', author => 'bench', payload => '$body'::jsonb -> 'payload') AS id
    FROM generate_series(1, 63) n;
SELECT count(reason.add_edge(f.id, t.id, 'causal')) FROM tree f JOIN tree t ON t.n = f.n / 2 \\g /dev/null
SELECT id FROM tree WHERE n = 1;
SQL
)
declare -A url call
url[node]=/reason/node/$node
url[trace]=/reason/trace/$node
url[write]=/reason/node
call[node]="http_get_node(:caller, NULL, NULL, :request, NULL, :node, NULL)"
call[trace]="http_get_trace(:caller, NULL, NULL, :request, NULL, :node, :query)"
call[write]="http_post_node(:caller, NULL, NULL, :request, NULL, :body, NULL, NULL, NULL)"
for workload in "${!call[@]}"; do
    echo "SELECT status, headers, body FROM reason.${call[$workload]};" >"$RUN_DIR/$workload.sql"
done
printf 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[%s]]\n' "$body" >"$RUN_DIR/write.lua"
echo "-- a plain GET" | tee "$RUN_DIR/node.lua" >"$RUN_DIR/trace.lua"
chmod 644 "$RUN_DIR"/*.sql
wait_until 10 "the gateway" curl -fsS --cacert "$RUN_DIR/tls/ca.crt" -o /dev/null "https://localhost:$port${url[node]}"

# ---------------------------------------------------------------- measuring

# direct WORKLOAD CLIENTS [OPTIONS]: calls a second, and their median milliseconds, in sessions with these options
direct() {
    local -x PGOPTIONS=${3:-}
    rm -f "$RUN_DIR/bench/temp"/calls*
    as_service "$pg_bin/pgbench" -n -M prepared -c "$2" -j 2 -T "$seconds" -f "$RUN_DIR/$1.sql" -l --log-prefix="$RUN_DIR/bench/temp/calls" \
        -D caller=kernel -D request=811165514129d0e81bf2741bc4144c5c -D node="$node" -D query='{}' -D body="$body" \
        -h "$(socket_directory)" -p "$pg_port" -U gateway reason | awk '/^tps/ {printf "%s ", $3}'
    sort -n -k 3,3 "$RUN_DIR/bench/temp"/calls* | awk '{us[NR] = $3} END {print us[int((NR + 1) / 2)] / 1000}'
}
# through WORKLOAD CLIENTS: the same, and the number of answers that were not 2xx
through() {
    wrk -t $(($2 < 2 ? 1 : 2)) -c "$2" -d "${seconds}s" --latency -s "$RUN_DIR/$1.lua" "https://localhost:$port${url[$1]}" |
        awk '/^Requests\/sec/ {rate = $2} / 50%/ {ms = $2 ~ /us$/ ? $2 / 1000 : $2 + 0} /Non-2xx/ {bad = $NF} END {print rate, ms, bad + 0}'
}

printf '%-8s %6s %10s %10s %7s %10s %7s %12s %12s %8s\n' workload round pgbench/s gateway/s ratio alike/s ratio "alike ms" "gateway ms" added
for workload in node trace write; do
    for round in $(seq "$rounds"); do
        read -r direct_rate _ < <(direct "$workload" "$connections")
        read -r gateway_rate _ bad < <(through "$workload" 64)
        [ "$bad" -eq 0 ] || fail "$bad answers were errors"
        read -r alike_rate _ < <(direct "$workload" "$connections" "$gateway_options")
        read -r _ alike_ms < <(direct "$workload" 1 "$gateway_options")
        read -r _ gateway_ms _ < <(through "$workload" 1)
        awk -v w="$workload" -v r="$round" -v d="$direct_rate" -v g="$gateway_rate" -v a="$alike_rate" -v am="$alike_ms" -v gm="$gateway_ms" \
            'BEGIN {printf "%-8s %6d %10.0f %10.0f %7.2f %10.0f %7.2f %12.3f %12.3f %8.3f\n", w, r, d, g, g / d, a, g / a, am, gm, gm - am}'
    done
done | tee "$RUN_DIR/rounds"
median() {
    awk -v w="$1" -v column="$2" '$1 == w {print $column}' "$RUN_DIR/rounds" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
for workload in node trace write; do
    echo "$workload: median ratio $(median "$workload" 5) (wanted: at least $([ $workload = write ] && echo 0.8 || echo 0.7)), $(median "$workload" 7) with options alike, added $(median "$workload" 10) ms (wanted: under 0.3)"
done
echo "pgbench with $connections connections, gateway with 64 clients on $connections; alike: pgbench with the gateway's options of a session; milliseconds are medians with one client"
