#!/bin/sh
# Extension and sidecar for a debugger: unoptimised and with assertions, in .build/debug, beside the build that tests use.
#
# The extension goes into a PostgreSQL tree of its own, .build/debug/pg; the sidecar is .build/debug/sidecar/reason-sidecar.
# The sources are linked, so that a debugger shows the files that one edits. docs/contributing.md has the recipes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
debug=$root/.build/debug
mkdir -p "$debug"

# link_sources FOLDER: a folder of links to the sources that git knows, without what was built among them
link_sources() {
    (cd "$root" && git ls-files -co --exclude-standard "$1") | while read -r file; do
        mkdir -p "$debug/$(dirname "$file")"
        ln -sfn "$root/$file" "$debug/$file"
    done
}
for folder in extension sql sidecar; do
    link_sources "$folder"
done
find "$debug/extension" "$debug/sql" "$debug/sidecar" -xtype l -delete

pg_config=$("$root/test/stack/pgroot.sh" "$debug/pg")
make -s -j2 -C "$debug/extension" PG_CONFIG="$pg_config" PROFILE='-O0 -g3 -fno-omit-frame-pointer -DUSE_ASSERT_CHECKING'
make -s -C "$debug/extension" PG_CONFIG="$pg_config" install >/dev/null
make -s -j2 -C "$debug/sidecar" CFLAGS='-O0 -g3 -fno-omit-frame-pointer' CPPFLAGS='-U_FORTIFY_SOURCE'
echo "PostgreSQL with the extension: $debug/pg/lib/postgresql/15/bin"
echo "Sidecar: $debug/sidecar/reason-sidecar"
