#!/bin/sh
# Lay out packages of PyPI that are Python alone, for tests that read what others made; print the folder, to be put on Python's path.
#
#   pywheels.sh DIR NAME==VERSION…
#
# Nothing is installed. Ends with 3 where a package cannot be had.
set -eu
dir=$1
shift
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
folder=$dir/$(printf '%s' "$*" | tr ' ' '+')
exec 9>"$dir/lock"
flock 9
if [ ! -d "$folder" ]; then
    rm -rf "$dir/download" "$folder.part"
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 -d "$dir/download" "$@" >&2 || exit 3
    for wheel in "$dir"/download/*.whl; do
        python3 -m zipfile -e "$wheel" "$folder.part"
    done
    mv "$folder.part" "$folder"
    rm -rf "$dir/download"
fi
echo "$folder"
