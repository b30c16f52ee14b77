#!/bin/sh
# Make a PostgreSQL cluster in DIR, as initdb does, for a server of tests: a copy of one that is kept in .build/clusters. It has the database
# that test/lib/fresh_database.py copies, too: the extension is then installed once for each build, not once for each server.
#
#   cluster.sh DIR
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"

kept=$build/clusters
mkdir -p "$kept"
chmod 755 "$build" "$kept"
owned_by_service "$kept"
prepare_service_user "$kept"

shared=$("$pg_bin/pg_config" --sharedir)/extension
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$shared/reasoning_graph.control")
script=$(md5sum <"$shared/reasoning_graph--$version.sql" | cut -d' ' -f1)
cluster=$kept/$script-$(stat -c %s-%Y "$pg_bin/postgres")

exec 9>"$kept/lock"
flock -s 9
if [ ! -d "$cluster" ]; then
    flock 9
fi
if [ ! -d "$cluster" ]; then
    # What other builds left, and what was not finished.
    find "$kept" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
    as_service "$pg_bin/initdb" -D "$kept/new" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >"$kept/initdb.log" 2>&1 ||
        fail "initdb failed, see $kept/initdb.log"
    socket=$(mktemp -d /tmp/reason-cluster.XXXXXX)
    owned_by_service "$socket"
    trap 'as_service "$pg_bin/pg_ctl" -D "$kept/new" -m immediate stop >/dev/null 2>&1; rm -rf "$socket"' EXIT
    as_service "$pg_bin/pg_ctl" -D "$kept/new" -l "$kept/log" -w start \
        -o "-c listen_addresses='' -c unix_socket_directories=$socket -c shared_preload_libraries=reasoning_graph -c fsync=off" >/dev/null 9>&-
    in_database() { "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "host=$socket user=postgres dbname=$1"; }
    echo "CREATE DATABASE reasoning_graph_$script" | in_database postgres
    echo "CREATE EXTENSION reasoning_graph" | in_database "reasoning_graph_$script"
    echo "ALTER DATABASE reasoning_graph_$script ALLOW_CONNECTIONS false" | in_database postgres
    as_service "$pg_bin/pg_ctl" -D "$kept/new" -m fast -w stop >/dev/null
    trap - EXIT
    rm -rf "$socket"
    mv "$kept/new" "$cluster"
    flock -s 9
fi
as_service cp -a --reflink=auto "$cluster" "$1"
# No copy, but a cluster of its own: its system identifier is another, in its WAL too, which pg_resetwal writes anew. It begins pg_control, and
# is positive as a bigint.
{
    head -c 7 /dev/urandom
    printf i
} | as_service dd of="$1/global/pg_control" bs=8 count=1 iflag=fullblock conv=notrunc status=none
as_service "$pg_bin/pg_resetwal" -f -D "$1" >"$kept/resetwal.log" 2>&1
