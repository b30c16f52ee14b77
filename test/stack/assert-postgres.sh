#!/bin/sh
# A PostgreSQL that checks itself, in DIR/pg: assertions, which bring memory that is overwritten when it is freed,
# and memory that is filled with noise when it is handed out. Prints the folder of its programs. Building takes some 8 minutes.
#
#   assert-postgres.sh DIR
#
# It is built from the source that belongs to Debian's package. The system's lists need not name sources: a
# configuration of our own asks the same archives for them, and keeps what it fetches in DIR. An archive may have
# withdrawn the source of the newest package: then an earlier one of the same major version is taken.
set -eu
directory=$1

mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
tree=$directory/pg
log=$directory/log
exec 9>"$directory/lock"
flock 9
# PostgreSQL's makefiles leave its headers to the make above them, where there is one. Ours makes none.
unset MAKELEVEL MAKEFLAGS MFLAGS

quietly() {
    if ! "$@" >>"$log" 2>&1; then
        tail -n 40 "$log" >&2
        exit 1
    fi
}

# The system's archives, asked for sources alone.
source_lists() {
    mkdir -p "$directory/apt/sources.list.d" "$directory/apt/lists/partial"
    for list in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" >"$directory/apt/sources.list.d/$(basename "$list")"
    done
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb /deb-src /p' >"$directory/apt/sources.list"
    cat >"$directory/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$directory/apt/sources.list";
Dir::Etc::SourceParts "$directory/apt/sources.list.d";
Dir::State::Lists "$directory/apt/lists";
Dir::Cache "$directory/apt";
APT::Sandbox::User "";
CONF
    export APT_CONFIG="$directory/apt/apt.conf"
}

fetch_source() {
    rm -rf "$directory/source"
    mkdir -p "$directory/source"
    source_lists
    # An archive that has no sources is one without ours.
    apt-get -q update >>"$log" 2>&1 || true
    installed=$(dpkg-query -W -f '${Version}' postgresql-15)
    offered=$(apt-cache showsrc postgresql-15 2>>"$log" | sed -n 's/^Version: //p' | sort -rV)
    for version in "$installed" $offered; do
        (cd "$directory/source" && apt-get -q source --download-only "postgresql-15=$version" >>"$log" 2>&1) && return 0
    done
    tail -n 20 "$log" >&2
    echo "The source of postgresql-15 cannot be had from the archives that apt knows." >&2
    return 1
}

build() {
    fetch_source
    # Debian's patches would have it installed over the system's PostgreSQL, whatever the prefix.
    quietly dpkg-source --skip-patches -x "$directory"/source/*.dsc "$directory/source/postgresql"
    cd "$directory/source/postgresql"
    quietly ./configure --prefix="$tree" --enable-cassert --enable-debug --enable-nls=no --without-readline \
        --with-openssl --with-icu --with-system-tzdata=/usr/share/zoneinfo \
        CFLAGS='-O0 -g -fno-omit-frame-pointer' CPPFLAGS='-DRANDOMIZE_ALLOCATED_MEMORY'
    if grep -q '^pkglibdir.*[ =]/usr' src/Makefile.global; then
        echo "The build would be installed outside $tree." >&2
        exit 1
    fi
    for part in . contrib/amcheck contrib/pg_buffercache contrib/pg_trgm; do
        quietly make -s -j2 -C "$part"
        quietly make -s -C "$part" install
    done
    quietly make -s -C src/test/isolation install
    # pgTAP is SQL alone.
    cp /usr/share/postgresql/15/extension/pgtap* "$("$tree/bin/pg_config" --sharedir)/extension/"
    cd "$directory"
    rm -rf source apt
    touch built
}

if [ ! -f "$directory/built" ]; then
    : >"$log"
    rm -rf "$tree"
    build
fi
echo "$tree/bin"
