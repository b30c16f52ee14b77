#!/usr/bin/env bash
# The suites of the database on a PostgreSQL with assertions (test/stack/assert-postgres.sh), where what touches freed or
# unset memory, or breaks an internal rule, fails at once; then the regression tests with nothing kept in PostgreSQL's caches.
#
#   assert.sh [SUITE…]     default: regress isolation pgtap trace trust e2e uncached
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
# shellcheck source=test/stack/lib.sh
. test/stack/lib.sh

bin=$(test/stack/assert-postgres.sh "$build/pg-assert") || exit 1
source=$build/pg-assert/extension-source
copy_extension "$source"
make -s -j2 -C "$source/extension" PG_CONFIG="$bin/pg_config" || exit 1
make -s -C "$source/extension" PG_CONFIG="$bin/pg_config" install >/dev/null || exit 1
"$bin/postgres" --version
export REASON_PG_BIN=$bin

[ $# -gt 0 ] || set -- regress isolation pgtap trace trust e2e uncached
exec test/check.sh "$@"
