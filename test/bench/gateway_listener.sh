# shellcheck shell=bash
# A private stack, and a gateway beside it that a load generator without a client certificate can call: it asks for none and
# names the caller itself. Sourced, after test/stack/lib.sh and with RUN_DIR and PORT_BASE of the benchmark's own.
#
#   start_listener PORT [CONNECTIONS]      listens there with TLS, and on the next port without; CONNECTIONS of all workers together
# shellcheck disable=SC2154  # set in lib.sh

start_listener() {
    QUIET=yes "$root/test/stack/up.sh"
    prepare_service_user "$RUN_DIR"
    mkdir -p "$RUN_DIR/bench/temp"
    # shellcheck disable=SC2016  # nginx expands its variables
    sed -e "s|:$https_port ssl|:$1 ssl|" -e "s|:$ops_port;|:$(($1 + 1));|" -e 's|ssl_verify_client on|ssl_verify_client off|' \
        -e "s|connections 8;|connections $((${2:-$((8 * $(nproc)))} / $(nproc)));|" \
        -e 's|access_log .*;|access_log off;|' -e 's|limit_req zone.*;||' -e 's|\$reason_client_cn \$reason_client_issuer \$reason_client_uri|kernel "" ""|' \
        "$RUN_DIR/gateway/nginx.conf" >"$RUN_DIR/bench/nginx.conf"
    owned_by_service "$RUN_DIR/bench" "$RUN_DIR/bench/temp"
    as_service /usr/sbin/nginx -p "$RUN_DIR/bench" -c "$RUN_DIR/bench/nginx.conf" -e "$RUN_DIR/log/bench.log"
}

stop_listener() {
    stop_process "$RUN_DIR/bench/nginx.pid" nginx TERM
    QUIET=yes "$root/test/stack/down.sh" || true
    rm -rf "$RUN_DIR"
}
