#!/bin/sh
# Build everything and install the extension into the private PostgreSQL tree. Quiet when all is well.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
mkdir -p .build
log=.build/build.log

quietly() {
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
}

pg_config=$(test/stack/pgroot.sh "$root/.build/pg")
# make up RUN_DIR=… of two stacks at a time must not build twice at once.
exec 9>.build/lock
flock 9
# The explorer and the auditor's page are made with Node. Without it everything else works; make up says what is left out.
if command -v npm >/dev/null 2>&1; then
    quietly make -C gateway ui
fi
quietly make -j2 -C extension PG_CONFIG="$pg_config"
quietly make -C extension PG_CONFIG="$pg_config" install
quietly make -C gateway
quietly make -j2 -C sidecar
quietly make -j2 -C sidecar/verify
quietly make -j2 -C sidecar/approve
quietly make -j2 -C sidecar/canary
quietly make -j2 -C sidecar/import
