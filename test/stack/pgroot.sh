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
bin=lib/postgresql/$version/bin
if [ ! -x "$dir/$bin/pg_config" ]; then
    rm -rf "$dir.new"
    mkdir -p "$dir.new/lib/postgresql/$version" "$dir.new/share/postgresql" "$dir.new/include"
    cp -r "/usr/lib/postgresql/$version/bin" "$dir.new/$bin"
    cp -rs "/usr/lib/postgresql/$version/lib" "$dir.new/lib/postgresql/$version/lib"
    cp -rs "/usr/share/postgresql/$version" "$dir.new/share/postgresql/$version"
    ln -s /usr/include/postgresql "$dir.new/include/postgresql"
    rm -rf "$dir"
    mv "$dir.new" "$dir"
fi
echo "$dir/$bin/pg_config"
