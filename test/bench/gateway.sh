#!/usr/bin/env bash
# What the gateway costs: GET /reason/node/{id} through TLS keep-alive, against pgbench calling the same SQL function
# over the local socket with as many database connections.
#
#   gateway.sh [SECONDS [ROUNDS]]     default 4 and 3
#
# Both sides run in turn. wrk has no client certificates, so the listener measured asks for none and names the caller
# itself; over keep-alive connections all else is the same.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-4}
rounds=${2:-3}
RUN_DIR=$(mktemp -d /tmp/reason-bench.XXXXXX)
PORT_BASE=${BENCH_PORT_BASE:-15660}
export RUN_DIR PORT_BASE
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
port=$((PORT_BASE + 8))
finish() {
    stop_process "$RUN_DIR/bench/nginx.pid" nginx TERM
    QUIET=yes "$root/test/stack/down.sh" || true
    rm -rf "$RUN_DIR"
}
trap finish EXIT
QUIET=yes "$root/test/stack/up.sh"
prepare_service_user "$RUN_DIR"

mkdir -p "$RUN_DIR/bench/temp"
# shellcheck disable=SC2016  # nginx expands its variables
sed -e "s|:$https_port ssl|:$port ssl|" -e "s|:$ops_port;|:$((port + 1));|" -e 's|ssl_verify_client on|ssl_verify_client off|' \
    -e 's|access_log .*;|access_log off;|' -e 's|limit_req zone.*;||' -e 's|\$reason_client_cn \$reason_client_issuer \$reason_client_uri|kernel "" ""|' \
    "$RUN_DIR/gateway/nginx.conf" >"$RUN_DIR/bench/nginx.conf"
owned_by_service "$RUN_DIR/bench" "$RUN_DIR/bench/temp"
as_service /usr/sbin/nginx -p "$RUN_DIR/bench" -c "$RUN_DIR/bench/nginx.conf" -e "$RUN_DIR/log/bench.log"
workers=$(nproc)
connections=$((8 * workers))

# shellcheck disable=SC2119  # the default database
node=$(echo "SELECT reason.add_node(type => 'observation', author => 'bench', payload => '{\"text\": \"it rains\"}')" | sql)
url=https://localhost:$port/reason/node/$node
wait_until 10 "the gateway" curl -fsS --cacert "$RUN_DIR/tls/ca.crt" -o /dev/null "$url"
cat >"$RUN_DIR/call.sql" <<SQL
SELECT status, headers, body FROM reason.http_get_node('kernel', NULL, NULL, 'bench', NULL, '$node');
SQL
chmod 644 "$RUN_DIR/call.sql"

# direct CLIENTS: calls a second, and the mean of their milliseconds
direct() {
    as_service "$pg_bin/pgbench" -n -M prepared -c "$1" -j 2 -T "$seconds" -f "$RUN_DIR/call.sql" -h "$(socket_directory)" -p "$pg_port" -U gateway reason |
        awk '/^tps/ {tps = $3} /^latency average/ {ms = $4} END {print tps, ms}'
}
# through CONNECTIONS: calls a second, median milliseconds, answers that were not 2xx
through() {
    wrk -t $(($1 < 2 ? 1 : 2)) -c "$1" -d "${seconds}s" --latency "$url" |
        awk '/^Requests\/sec/ {rate = $2} / 50%/ {ms = $2 ~ /us$/ ? $2 / 1000 : $2 + 0} /Non-2xx/ {bad = $NF} END {print rate, ms, bad + 0}'
}

printf '%6s %16s %16s %8s %14s %14s %10s\n' round pgbench/s gateway/s ratio "pgbench ms" "gateway ms" added
for round in $(seq "$rounds"); do
    read -r direct_rate _ < <(direct "$connections")
    read -r gateway_rate _ bad < <(through 64)
    [ "$bad" -eq 0 ] || fail "$bad answers were errors"
    read -r _ direct_ms < <(direct 1)
    read -r _ gateway_ms _ < <(through 1)
    awk -v r="$round" -v d="$direct_rate" -v g="$gateway_rate" -v dm="$direct_ms" -v gm="$gateway_ms" \
        'BEGIN {printf "%6d %16.0f %16.0f %8.2f %14.3f %14.3f %10.3f\n", r, d, g, g / d, dm, gm, gm - dm}'
done
echo "pgbench with $connections connections, gateway with 64 clients on $connections; milliseconds with one client (mean, median)"
