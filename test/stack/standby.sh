#!/bin/sh
# Start a streaming standby of the private stack's PostgreSQL; make down stops it.
#
#   RUN_DIR=… PORT_BASE=… STANDBY_PORT=… standby.sh      then STANDBY=127.0.0.1:$STANDBY_PORT up.sh tells the gateway
#
# STANDBY_PORT is the stack's fourth port after the first unless given.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"

standby=$RUN_DIR/standby
port=${STANDBY_PORT:-$((PORT_BASE + 4))}
prepare_service_user "$RUN_DIR"
if [ ! -f "$standby/PG_VERSION" ]; then
    as_service "$pg_bin/pg_basebackup" -D "$standby" -R -c fast -d "host=127.0.0.1 port=$pg_port user=postgres"
fi
if ! running "$standby/postmaster.pid" "-D $standby"; then
    as_service "$pg_bin/pg_ctl" -D "$standby" -l "$log/standby.log" -w -o "-c port=$port" start >/dev/null
fi
