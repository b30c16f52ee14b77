#!/bin/sh
# Stop the private stack of RUN_DIR: gateway first, so that no request is lost, the database last.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"

if [ ! -d "$RUN_DIR" ]; then
    say "No stack in $RUN_DIR."
    exit 0
fi
RUN_DIR=$(cd "$RUN_DIR" && pwd)
stop_process "$RUN_DIR/gateway/nginx.pid" nginx QUIT
stop_process "$RUN_DIR/sidecar.pid" reason-sidecar TERM
stop_process "$RUN_DIR/standby/postmaster.pid" "-D $RUN_DIR/standby" INT
stop_process "$RUN_DIR/pg/postmaster.pid" "-D $RUN_DIR/pg" INT
say "The stack in $RUN_DIR is stopped. Its data stays; remove the directory to forget it."
