#!/usr/bin/env bash
# The sidecar and the verifier under AddressSanitizer with UBSan, and under ThreadSanitizer, through the sidecar's tests.
#
#   sidecar.sh [address|thread] [PYTEST ARGUMENT…]     default: both, and all tests but those that measure time
#
# Each is built in .build/sanitize/NAME, with clang, whose sanitizers all write where they are told to. Whatever one of
# them reports is a failure, whichever test it was that brought it about.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

case ${1:-} in
    address | thread)
        kinds=$1
        shift
        ;;
    *) kinds='address thread' ;;
esac
tests=("$@")
[ $# -gt 0 ] || tests=(test/sidecar --deselect sidecar/test_work.py::test_an_idle_sidecar_answers_within_milliseconds)

# build KIND FLAGS: with objects of its own
build() {
    local directory=$root/.build/sanitize/$1
    rm -rf "$directory"
    mkdir -p "$directory/extension"
    cp -r sidecar "$directory/"
    cp test/sanitize/thrd_create.c "$directory/sidecar/"
    cp -r extension/core extension/*.control "$directory/extension/"
    make -s -C "$directory/sidecar" clean
    make -s -C "$directory/sidecar/verify" clean
    make -s -C "$directory/sidecar" CC=clang-14 CFLAGS="-O1 -g -fno-omit-frame-pointer $2" LDFLAGS="$2"
    make -s -C "$directory/sidecar/verify" CC=clang-14 CFLAGS="-O1 -g -fno-omit-frame-pointer $2" LDFLAGS="$2"
}

# run KIND: the tests, and then what was reported
run() {
    local directory=$root/.build/sanitize/$1 reports status=0
    reports=$directory/report
    # SoftHSM 2.6.1 loses 37 bytes with each signature; to see that it is SoftHSM, the whole stack is needed.
    echo 'leak:libsofthsm2.so' >"$directory/suppressions"
    # Libraries are as they come: what happens between two of their own calls cannot be told from a race.
    REASON_SIDECAR=$directory/sidecar/reason-sidecar REASON_VERIFY=$directory/sidecar/verify/reason-verify \
        ASAN_OPTIONS="log_path=$reports:detect_stack_use_after_return=1:fast_unwind_on_malloc=0" \
        LSAN_OPTIONS="suppressions=$directory/suppressions:print_suppressions=0" \
        UBSAN_OPTIONS="log_path=$reports:print_stacktrace=1" \
        TSAN_OPTIONS="log_path=$reports:ignore_noninstrumented_modules=1:second_deadlock_stack=1" \
        /usr/bin/python3 -m pytest -q --tb=short "${tests[@]}" || status=1
    for report in "$reports".*; do
        [ -e "$report" ] || continue
        cat "$report" >&2
        status=1
    done
    [ "$status" -eq 0 ] && echo "$1: nothing reported"
    return $status
}

status=0
for kind in $kinds; do
    case $kind in
        address) build address '-fsanitize=address,undefined -fno-sanitize-recover=undefined' ;;
        thread) build thread '-fsanitize=thread' ;;
    esac
    run "$kind" || status=1
done
exit $status
