#!/bin/sh
# Fetch DuckDB's library, which reason-import reads Parquet with, from npm's package of its bindings; print its path.
#
#   duckdb.sh DIR
#
# Ends with 3 where it cannot be had.
set -eu
# shellcheck source=test/stack/fetch.sh
. "$(dirname "$0")/fetch.sh"
package=@duckdb/node-bindings-linux-x64
version=1.5.6-r.1
[ "$(uname -sm)" = "Linux x86_64" ] && command -v npm >/dev/null 2>&1 || exit 3
one_at_a_time "$1"
dir=$(cd "$1" && pwd)
library=$dir/$version/package/libduckdb.so
if [ ! -f "$library" ]; then
    mkdir -p "$dir/$version.part"
    (cd "$dir/$version.part" && three_times npm pack --silent "$package@$version") || exit 3
    tar -xzf "$dir/$version.part"/*.tgz -C "$dir/$version.part" package/libduckdb.so package/LICENSE
    rm -rf "${dir:?}/$version" "$dir/$version.part"/*.tgz
    mv "$dir/$version.part" "$dir/$version"
fi
echo "$library"
