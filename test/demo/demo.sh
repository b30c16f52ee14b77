#!/bin/sh
# The main job on real input: start a stack of its own, run test/demo/demo.py against it over
# HTTPS, stop it. Leaves nothing running.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
RUN_DIR=${RUN_DIR:-$root/.run/demo}
PORT_BASE=${PORT_BASE:-15700}
export RUN_DIR PORT_BASE

stop() {
    QUIET=yes "$root/test/stack/down.sh"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Each demonstration tells its story from an empty database.
stop
rm -rf "$RUN_DIR"
QUIET=yes "$root/test/stack/up.sh"
# shellcheck disable=SC1091  # written by up.sh
. "$RUN_DIR/env"
[ -d "$RUN_DIR/gateway/explorer" ] ||
    echo "Left out: the explorer and the auditor's page. They are built with Node and npm, which are not here."
PYTHONPATH=$root/test/lib REASON_VERIFY=$root/sidecar/verify/reason-verify REASON_PSQL=$root/.build/pg/lib/postgresql/15/bin/psql \
    python3 "$root/test/demo/demo.py" "$root/test/data/git-history.tsv.gz"
