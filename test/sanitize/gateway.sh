#!/usr/bin/env bash
# The gateway's workers under AddressSanitizer (with leaks) and UBSan, through its tests and those of hostile clients.
#
#   gateway.sh [short] [PYTEST ARGUMENT…]     default: test/gateway, and the tests of the whole stack that go through the gateway;
#                                             short: some of them, for make check
#
# The module is built with clang into .build/sanitize/gateway, and nginx as it is loads it, with the sanitizer's library
# preloaded. Whatever is reported is a failure, whichever test it was that brought it about; so is a worker that was killed.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
# shellcheck source=test/stack/lib.sh
. test/stack/lib.sh

tests=(test/gateway test/e2e/test_hostile_clients.py test/e2e/test_gateway.py test/e2e/test_identity.py test/e2e/test_openapi.py
    test/e2e/test_policy_check.py test/e2e/test_database_faults.py test/e2e/test_standby.py test/e2e/test_snapshot.py)
if [ "${1:-}" = short ]; then
    tests=(test/gateway/test_call.py test/gateway/test_errors.py test/gateway/test_streaming.py
        test/e2e/test_hostile_clients.py::test_malformed_requests_leave_nothing_behind)
    REASON_MALFORMED_REQUESTS=${REASON_MALFORMED_REQUESTS:-100}
    shift
fi
[ $# -eq 0 ] || tests=("$@")

directory=$root/.build/sanitize/gateway
mkdir -p "$directory"
# The list of modules has the name of nginx's own, which is the one that counts.
echo 'src:*_modules.c' >"$directory/ignored"
compiler="clang-14 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=function -fno-sanitize-recover=undefined"
compiler+=" -fsanitize-ignorelist=$directory/ignored -shared-libasan -include $root/test/sanitize/gateway_memory.h"
make -s -C gateway BUILD="$directory" COMPILER="$compiler" >"$directory.log" 2>&1 || {
    cat "$directory.log" >&2
    exit 1
}

reports=$(mktemp -d /tmp/reason-sanitize.XXXXXX)
trap 'rm -rf "$reports"' EXIT
chmod 755 "$reports"
owned_by_service "$reports"
GATEWAY_PRELOAD=$(clang-14 -print-file-name=libclang_rt.asan-x86_64.so)
export GATEWAY_PRELOAD GATEWAY_MODULE=$directory/ngx_http_reason_module.so
export ASAN_OPTIONS="log_path=$reports/report:detect_stack_use_after_return=1:fast_unwind_on_malloc=0:malloc_context_size=20:quarantine_size_mb=4:exitcode=0"
export REASON_MALFORMED_REQUESTS=${REASON_MALFORMED_REQUESTS:-300}
export UBSAN_OPTIONS="print_stacktrace=1"

# What these measure takes longer here, and may fail for that; what they do is watched like the rest.
timed=(test/gateway/test_queue.py test/gateway/test_shares.py test/gateway/test_pipeline.py test/gateway/test_streaming.py::test_a_slow_client_costs_little_memory_and_holds_up_nobody
    test/e2e/test_gateway.py::test_a_reload_loses_no_request)
run() { /usr/bin/python3 -m pytest -q --tb=short "$@"; }
status=0
# pytest names tests by where they lie below test/
run "${tests[@]}" "${timed[@]/#test\//--deselect=}" || status=1
for test in "${timed[@]}"; do
    for suite in "${tests[@]}"; do
        case $test in "$suite"*) run "$test" || true ;; esac
    done
done
# nginx leaves some of its own behind when a process of it ends: of leaks, those count that the module had a part in.
for report in "$reports"/report.*; do
    [ -e "$report" ] || continue
    awk -v RS= '/LeakSanitizer|^SUMMARY/ { next } /^(Direct|Indirect) leak/ && !/ngx_http_reason_module/ { next } /[^=[:space:]]/ { print $0 "\n"; found = 1 }
                END { exit found }' "$report" >&2 || status=1
done
[ "$status" -ne 0 ] || echo "gateway: nothing reported"
exit $status
