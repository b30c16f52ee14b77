# shellcheck shell=bash
# A PostgreSQL of a benchmark's own, with the extension at hand, gone when the script ends.
# Sourced, after test/stack/lib.sh, which says where PostgreSQL is.
#
#   bench_server PORT "setting = value"…     sets directory (world-readable) and connection
# shellcheck disable=SC2154  # pg_bin is set there

bench_server() {
    local setting
    directory=$(mktemp -d /tmp/reason-bench.XXXXXX)
    chmod 755 "$directory"
    owned_by_service "$directory"
    prepare_service_user "$directory"
    trap bench_server_stop EXIT
    as_service "$pg_bin/initdb" -D "$directory/data" -U postgres --auth=trust --locale=C.UTF-8 --encoding=UTF8 --no-sync >/dev/null
    {
        echo "listen_addresses = '127.0.0.1'"
        echo "port = $1"
        echo "unix_socket_directories = '$directory'"
        echo "shared_preload_libraries = 'reasoning_graph'"
        shift
        for setting in "$@"; do
            echo "$setting"
        done
    } >>"$directory/data/postgresql.conf"
    as_service "$pg_bin/pg_ctl" -D "$directory/data" -l "$directory/log" -w start >/dev/null
    # shellcheck disable=SC2034  # used by the scripts that source this
    connection="host=$directory port=$(sed -n 's/^port = //p' "$directory/data/postgresql.conf" | tail -1) user=postgres dbname=postgres"
}

bench_server_stop() {
    as_service "$pg_bin/pg_ctl" -D "$directory/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$directory"
}
