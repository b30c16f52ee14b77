#!/bin/sh
# Start a private stack on loopback: PostgreSQL, the gateway, the sidecar. Whatever runs
# already is left alone, whatever does not is started; make down stops it.
#
#   RUN_DIR=…     where it lives (default .run)
#   SENTINELNET=… HOST:PORT of a policy service for writes that a policy rule names; none by default
#   SENTINELNET_NAME=…  name in its certificate (default HOST)
#   TRACING=…     HOST:PORT of a collector that spans of gateway and sidecar go to; none by default
#   STANDBY=…     HOST:PORT of a standby of its PostgreSQL, to read from and to write to once it was promoted; none by default
#   CELL=…        HOST:PORT of PostgreSQL of another stack, a cell of this gateway under the name cell_b; none by default
#   CELL_DIVISIONS=…  the divisions that live there
#   REGISTRY_FILE=… signers that the sidecar knows beside its own: those of cells that divisions come from; none by default
#   SIGNER_ID=…   of the key that signs (default local-development): cells between which divisions move need different ones
#   PORT_BASE=…   first of its ports (default 15700): gateway, operations, PostgreSQL, sidecar
#   SIDECAR_MORE=… a file with more of the sidecar's configuration, and other values; none by default
#   GATEWAY_MODULE=…, REASON_SIDECAR=…  the gateway's module and the sidecar's program, of another release
#
# Certificates revoked by RUN_DIR/tls/crl.pem, if it is there, are refused.
#
# Embedded defaults: a local Ed25519 key, objects and archive in a directory, no Kafka. For development
# and demonstration; docs/for-operators/gateway.md and docs/for-operators/sidecar.md have the real thing.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"

SENTINELNET=${SENTINELNET:-}
TRACING=${TRACING:-}
STANDBY=${STANDBY:-}
CELL=${CELL:-}
SENTINELNET_NAME=${SENTINELNET_NAME:-${SENTINELNET%:*}}

umask 077
mkdir -p "$RUN_DIR"
RUN_DIR=$(cd "$RUN_DIR" && pwd)
data=$RUN_DIR/pg
log=$RUN_DIR/log
socket=$(socket_directory)
mkdir -p "$log" "$socket" "$RUN_DIR/tls" "$RUN_DIR/keys" "$RUN_DIR/store" "$RUN_DIR/gateway" "$RUN_DIR/log-state"
owned_by_service "$RUN_DIR" "$log" "$socket" "$RUN_DIR/store" "$RUN_DIR/log-state" "$RUN_DIR/keys" "$RUN_DIR/gateway"
prepare_service_user "$RUN_DIR"

# ---------------------------------------------------------------- certificates and keys

"$root/test/stack/certificates.sh" "$RUN_DIR/tls" kernel reader gateway
owned_by_service "$RUN_DIR/tls" "$RUN_DIR/tls/server.key" "$RUN_DIR/tls/server.crt" "$RUN_DIR/tls/ca.crt" "$RUN_DIR/tls/gateway.key" "$RUN_DIR/tls/gateway.crt"

signer_id=${SIGNER_ID:-local-development}
signer_key=$RUN_DIR/keys/signer.pem
# For checkpoints of the log: a key of its own.
log_key=$RUN_DIR/keys/log.pem
for key in "$signer_key" "$log_key"; do
    if [ ! -f "$key" ]; then
        openssl genpkey -algorithm ED25519 -out "$key.new" 2>/dev/null
        mv "$key.new" "$key"
        owned_by_service "$key"
    fi
done

# ---------------------------------------------------------------- PostgreSQL

if [ ! -f "$data/PG_VERSION" ]; then
    rm -rf "$data"
    mkdir "$data"
    owned_by_service "$data"
    as_service "$pg_bin/initdb" -D "$data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        --no-instructions >"$log/initdb.log" 2>&1 || fail "initdb failed, see $log/initdb.log"
    cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $pg_port
unix_socket_directories = '$socket'
shared_preload_libraries = 'reasoning_graph'
shared_buffers = 256MB
max_connections = 200
max_wal_size = 4GB
max_prepared_transactions = 8
client_connection_check_interval = 1s
timezone = 'UTC'
log_timezone = 'UTC'
CONF
fi
postgres_up() {
    if ! running "$data/postmaster.pid" "-D $data"; then
        # Its process is gone, perhaps killed: what it left would only keep a new one from starting. So do
        # backends of it, for the moment until they notice: then this is tried again.
        rm -f "$data/postmaster.pid" "$socket/.s.PGSQL.$pg_port" "$socket/.s.PGSQL.$pg_port.lock"
        as_service "$pg_bin/pg_ctl" -D "$data" -l "$log/postgresql.log" -w -t 5 start
    fi
    "$pg_bin/pg_isready" -q -h 127.0.0.1 -p "$pg_port"
}
wait_until 60 "PostgreSQL (see $log/postgresql.log)" postgres_up

if [ -z "$(echo "SELECT 1 FROM pg_database WHERE datname = 'reason'" | sql postgres)" ]; then
    echo 'CREATE DATABASE reason' | sql postgres
fi
public_key=$(openssl pkey -in "$signer_key" -pubout)
log_public_key=$(openssl pkey -in "$log_key" -pubout)
sql <<SQL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS reasoning_graph;
DO \$\$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway') THEN
        CREATE ROLE gateway LOGIN IN ROLE reason_gateway;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sidecar') THEN
        CREATE ROLE sidecar LOGIN IN ROLE reason_sidecar;
    END IF;
    IF NOT EXISTS (SELECT FROM reason.client WHERE name = 'kernel') THEN
        PERFORM reason.set_client('kernel', 'writer', '{*}', pii => true);
        PERFORM reason.set_client('reader', 'reader');
    END IF;
    IF NOT EXISTS (SELECT FROM reason.signer WHERE signer_id = '$signer_id') THEN
        PERFORM reason.add_signer('$signer_id', '$public_key');
    END IF;
    IF NOT EXISTS (SELECT FROM reason.signer WHERE signer_id = '$signer_id-log') THEN
        PERFORM reason.add_signer('$signer_id-log', '$log_public_key', purpose => 'checkpoints');
    END IF;
END
\$\$;
SQL
# What an auditor gets: the public keys, nothing secret.
echo 'SELECT reason.signer_registry()' | sql >"$RUN_DIR/signers.json.new"
mv "$RUN_DIR/signers.json.new" "$RUN_DIR/signers.json"
chmod 644 "$RUN_DIR/signers.json"

# ---------------------------------------------------------------- the gateway

if [ -n "$STANDBY" ]; then
    hosts=$socket,${STANDBY%:*} ports=$pg_port,${STANDBY##*:} reads=reads
else
    hosts=$socket ports=$pg_port reads=reason
fi
home_reads=$reads
# shellcheck disable=SC2016  # nginx's
[ -z "$CELL" ] || reads='$reason_cell_reads'
render() {
    sed -e "s|@RUN_DIR@|$RUN_DIR|g" -e "s|@LISTEN@|127.0.0.1|g" -e "s|@PORT@|$https_port|g" -e "s|@OPS_PORT@|$ops_port|g" \
        -e "s|@PG_HOST@|$hosts|g" -e "s|@PG_PORT@|$ports|g" \
        -e "s|@READS@|$reads|g" -e "s|@HOME_READS@|$home_reads|g" -e "s|@REGISTRY_FILE@|${REGISTRY_FILE:-}|g" -e "s|@CELL@|cell_b|g" -e "s|@CELL_HOST@|${CELL%:*}|g" -e "s|@CELL_PORT@|${CELL##*:}|g" -e "s|@READ_HOST@|$hosts|g" -e "s|@READ_PORT@|$ports|g" -e "s|@PG_DATABASE@|reason|g" -e "s|@PG_USER@|gateway|g" \
        -e "s|@MODULE@|${GATEWAY_MODULE:-$root/gateway/build/ngx_http_reason_module.so}|g" -e "s|@CONF_DIR@|$RUN_DIR/gateway|g" \
        -e "s|@TRACING@|$TRACING|g" -e "s|@TRACING_SERVICE@|reason-gateway|g" -e "s|@SENTINELNET@|$SENTINELNET|g" -e "s|@SENTINELNET_NAME@|$SENTINELNET_NAME|g" \
        -e "s|@OPENAPI@|$root/gateway/openapi.json|g" -e "s|@UI@|$root/gateway/build/ui|g" -e "s|@SIDECAR_PORT@|$sidecar_port|g" -e "s|@SIGNER_ID@|$signer_id|g" "$1"
}
render "$root/gateway/nginx.conf.in" >"$RUN_DIR/gateway/nginx.conf"
for template in "$root"/gateway/conf.d/*; do
    name=$(basename "$template" .in)
    mkdir -p "$RUN_DIR/gateway/conf.d"
    render "$template" >"$RUN_DIR/gateway/conf.d/$name"
done
# optional NAME WANTED: the files of gateway/NAME, or none of them
optional() {
    rm -rf "$RUN_DIR/gateway/$1"
    [ -n "$2" ] || return 0
    mkdir "$RUN_DIR/gateway/$1"
    for template in "$root/gateway/$1"/*; do
        render "$template" >"$RUN_DIR/gateway/$1/$(basename "$template" .in)"
    done
}
optional sentinelnet "$SENTINELNET"
optional tracing "$TRACING"
optional reads "$STANDBY"
optional explorer "$([ ! -f "$root/gateway/build/ui/index.html" ] || echo yes)"
optional cells "$CELL"
for division in ${CELL_DIVISIONS:-}; do
    echo "$division cell_b;" >>"$RUN_DIR/gateway/cells/divisions.conf"
done
optional revocation "$([ ! -f "$RUN_DIR/tls/crl.pem" ] || echo yes)"
[ -z "$service_user" ] || chown -R "$service_user:" "$RUN_DIR/gateway"
if ! running "$RUN_DIR/gateway/nginx.pid" nginx; then
    as_service setsid -f env LD_PRELOAD="${GATEWAY_PRELOAD:-}" /usr/sbin/nginx -p "$RUN_DIR/gateway" -c "$RUN_DIR/gateway/nginx.conf" \
        -e "$log/gateway.log" >>"$log/gateway.out" 2>&1 </dev/null
fi

# ---------------------------------------------------------------- the sidecar

render "$root/test/stack/reason-sidecar.conf.in" >"$RUN_DIR/reason-sidecar.conf"
[ -z "$TRACING" ] || printf '\n[tracing]\nendpoint = http://%s\n' "$TRACING" >>"$RUN_DIR/reason-sidecar.conf"
[ -z "${SIDECAR_MORE:-}" ] || cat "$SIDECAR_MORE" >>"$RUN_DIR/reason-sidecar.conf"
owned_by_service "$RUN_DIR/reason-sidecar.conf"
if ! running "$RUN_DIR/sidecar.pid" reason-sidecar; then
    # The chain may lag, requests may not: on two cores the sidecar yields.
    # shellcheck disable=SC2016  # the inner shell expands it
    as_service setsid -f sh -c 'echo $$ >"$1"; exec nice -n 10 "$2" "$3" >>"$4" 2>&1 </dev/null' sh \
        "$RUN_DIR/sidecar.pid" "${REASON_SIDECAR:-$root/sidecar/reason-sidecar}" "$RUN_DIR/reason-sidecar.conf" "$log/sidecar.log"
fi

# ---------------------------------------------------------------- how to call it

cat >"$RUN_DIR/env.new" <<ENV
REASON_URL='https://localhost:$https_port'
REASON_CA='$RUN_DIR/tls/ca.crt'
REASON_KERNEL_CERT='$RUN_DIR/tls/kernel.crt'
REASON_KERNEL_KEY='$RUN_DIR/tls/kernel.key'
REASON_READER_CERT='$RUN_DIR/tls/reader.crt'
REASON_READER_KEY='$RUN_DIR/tls/reader.key'
REASON_DSN='postgresql://postgres@127.0.0.1:$pg_port/reason'
REASON_SIGNERS='$RUN_DIR/signers.json'
REASON_OPS_URL='http://127.0.0.1:$ops_port'
REASON_STORE='file://$RUN_DIR/store'
REASON_SIDECAR_METRICS='http://127.0.0.1:$sidecar_port/metrics'
export REASON_URL REASON_CA REASON_KERNEL_CERT REASON_KERNEL_KEY REASON_READER_CERT REASON_READER_KEY
export REASON_DSN REASON_SIGNERS REASON_OPS_URL REASON_STORE REASON_SIDECAR_METRICS
ENV
mv "$RUN_DIR/env.new" "$RUN_DIR/env"

answers() {
    curl -fsS --max-time 2 -o /dev/null "$1"
}
wait_until 20 "the gateway (see $log/gateway.log)" answers "http://127.0.0.1:$ops_port/health"
wait_until 20 "the sidecar (see $log/sidecar.log)" answers "http://127.0.0.1:$sidecar_port/metrics"
wait_until 20 "the service to be ready" answers "http://127.0.0.1:$ops_port/ready"

if [ -d "$RUN_DIR/gateway/explorer" ]; then
    explorer="  To look at it: https://localhost:$https_port/ui/, in a browser that has
  $RUN_DIR/tls/browser.p12 (password \"reason\") and trusts $RUN_DIR/tls/ca.crt"
else
    explorer="  The explorer is left out: it is built with Node and npm, which are not here."
fi

say "The stack runs. How to call it:

  . $RUN_DIR/env
  curl --cacert \$REASON_CA --cert \$REASON_KERNEL_CERT --key \$REASON_KERNEL_KEY \\
       -H 'Content-Type: application/json' \$REASON_URL/reason/node \\
       -d '{\"type\": \"observation\", \"author\": \"me\", \"payload\": {\"text\": \"it rains\"}}'
  psql \$REASON_DSN -c 'SELECT id, type, author FROM reason.node'

$explorer

make down stops it."
