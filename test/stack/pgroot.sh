#!/bin/sh
# Make a private copy of the PostgreSQL installation in DIR: programs copied, the rest linked.
#
# PostgreSQL finds its libraries and shared files relative to its own program file, so an
# extension installed there is seen by servers started from there, and the system's
# installation stays as it was. Prints the path of the copy's pg_config.
#
#   pgroot.sh DIR [VERSION]
set -eu
dir=$1
version=${2:-15}
system_lib=/usr/lib/postgresql/$version
system_share=/usr/share/postgresql/$version
bin=$dir/lib/postgresql/$version/bin

# A minor upgrade of the system's packages makes the copied programs stale.
if ! cmp -s "$system_lib/bin/postgres" "$bin/postgres"; then
    rm -rf "$dir"
    mkdir -p "$dir/lib/postgresql/$version/lib" "$dir/share/postgresql/$version" "$dir/include"
    cp -r "$system_lib/bin" "$bin"
    ln -s /usr/include/postgresql "$dir/include/postgresql"
fi
# Links to what was installed since, too; what stands there already is left alone.
cp -rsn "$system_lib/lib/." "$dir/lib/postgresql/$version/lib/"
cp -rsn "$system_share/." "$dir/share/postgresql/$version/"
echo "$bin/pg_config"
