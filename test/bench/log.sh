#!/usr/bin/env bash
# What the transparency log costs: sealing with and without its tree, growing a long chain's tree, proofs from it, room.
#
#   log.sh [LEAVES [ROUNDS]]     default 10000000 and 7
#
# The long chain's seals are made by SQL in a database of their own; the short ones are written, sealed and signed
# as the sidecar does, with and without a session beside that grows their trees.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
bench_server "${BENCH_PG_PORT:-15681}" "shared_buffers = 2GB" "max_wal_size = 8GB" "fsync = off" "checkpoint_timeout = 1h"
/usr/bin/python3 "$root/test/bench/log.py" "$connection" "${1:-10000000}" "${2:-7}"
