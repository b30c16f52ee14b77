#!/usr/bin/env bash
# The gateway beside its nearest peer that a package registry gives: PostGraphile, a server of Node.js that makes an API of a
# database's functions. Both answer with the same SQL function's result, a node with its edges, from as many connections to
# PostgreSQL; the gateway through TLS and under its client's name, PostGraphile over plain HTTP.
#
#   gateway_peer.sh [SECONDS [ROUNDS]]     default 4 and 3
#
# Needs Node.js and npm, and fetches PostGraphile into .build/postgraphile; without them it says so and ends.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-4}
rounds=${2:-3}
version=4.14.1
peer=$root/.build/postgraphile
if ! [ -x "$peer/node_modules/.bin/postgraphile" ]; then
    mkdir -p "$peer"
    echo '{"private": true}' >"$peer/package.json"
    if ! command -v npm >/dev/null || ! npm --prefix "$peer" install --silent --no-fund --no-audit "postgraphile@$version" >"$peer/install.log" 2>&1; then
        echo "PostGraphile cannot be had here (npm, see $peer/install.log): not compared"
        exit 0
    fi
fi
RUN_DIR=$(mktemp -d /tmp/reason-bench.XXXXXX)
PORT_BASE=${BENCH_PORT_BASE:-15660}
export RUN_DIR PORT_BASE
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/gateway_listener.sh
. "$root/test/bench/gateway_listener.sh"
port=$((PORT_BASE + 8))
peer_port=$((PORT_BASE + 10))
peer_pid=
finish() {
    [ -z "$peer_pid" ] || kill "$peer_pid" 2>/dev/null || true
    stop_listener
}
trap finish EXIT
start_listener "$port"
workers=$(nproc)

sql reason <<SQL
CREATE SCHEMA peer;
GRANT USAGE ON SCHEMA peer TO gateway;
CREATE FUNCTION peer.reason_node(id uuid) RETURNS json LANGUAGE sql STABLE
AS \$\$ SELECT body::json FROM reason.http_get_node('kernel', NULL, NULL, 'bench', NULL, \$1::text, NULL) \$\$;
SQL
node=$(echo "WITH n AS (SELECT reason.add_node(type => 'observation', author => 'bench', payload => '{\"text\": \"it rains\"}') AS id FROM generate_series(1, 5))
             SELECT id FROM n" | sql reason | tee "$RUN_DIR/nodes" | head -1)
sed 1d "$RUN_DIR/nodes" | while read -r other; do echo "SELECT reason.add_edge('$other', '$node', 'causal');"; done | sql reason >/dev/null

"$peer/node_modules/.bin/postgraphile" -c "postgres://gateway@/reason?host=$(socket_directory)&port=$pg_port" -s peer -p "$peer_port" \
    --cluster-workers "$workers" --max-pool-size 8 --dynamic-json --disable-graphiql --disable-query-log >"$RUN_DIR/log/peer.log" 2>&1 &
peer_pid=$!
url=https://localhost:$port/reason/node/$node
peer_url=http://127.0.0.1:$peer_port/graphql
query="{\"query\":\"query N(\$id: UUID) { reasonNode(id: \$id) }\",\"variables\":{\"id\":\"$node\"}}"
cat >"$RUN_DIR/query.lua" <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[$query]==]
LUA
ask_peer() { curl -fsS -H 'Content-Type: application/json' -d "$query" "$peer_url"; }
wait_until 10 "the gateway" curl -fsS --cacert "$RUN_DIR/tls/ca.crt" -o /dev/null "$url"
wait_until 30 "PostGraphile (see $RUN_DIR/log/peer.log)" ask_peer
[ "$(curl -fsS --cacert "$RUN_DIR/tls/ca.crt" "$url" | jq -cS .)" = "$(ask_peer | jq -cS .data.reasonNode)" ] || fail "the two do not answer the same"

# rate_of URL [SCRIPT]: answers a second, median milliseconds, errors
rate_of() {
    wrk -t 2 -c 64 -d "${seconds}s" --latency ${2:+-s "$2"} "$1" |
        awk '/^Requests\/sec/ {rate = $2} / 50%/ {ms = $2 ~ /us$/ ? $2 / 1000 : $2 + 0} /Non-2xx/ {bad = $NF} END {print rate, ms, bad + 0}'
}
# Node.js compiles what it runs often.
rate_of "$peer_url" "$RUN_DIR/query.lua" >/dev/null
rate_of "$url" >/dev/null
printf '%6s %18s %16s %8s %16s %14s\n' round "PostGraphile/s" gateway/s ratio "PostGraphile ms" "gateway ms"
for round in $(seq "$rounds"); do
    read -r peer_rate peer_ms peer_bad < <(rate_of "$peer_url" "$RUN_DIR/query.lua")
    read -r rate ms bad < <(rate_of "$url")
    [ "$((bad + peer_bad))" -eq 0 ] || fail "$bad and $peer_bad answers were errors"
    awk -v r="$round" -v p="$peer_rate" -v g="$rate" -v pm="$peer_ms" -v gm="$ms" \
        'BEGIN {printf "%6d %18.0f %16.0f %8.1f %16.1f %14.1f\n", r, p, g, g / p, pm, gm}'
done
echo "PostGraphile $version, Node.js $(node --version), $workers processes; 64 clients on $((8 * workers)) connections each; milliseconds are medians"
