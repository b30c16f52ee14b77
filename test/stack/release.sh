#!/bin/sh
# Build gateway, sidecar and verifier of another release into DIRECTORY, from a tag or, without one, from these sources under
# another version. Prints nothing when all is well.
#
#   release.sh DIRECTORY VERSION [TAG]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
directory=$1 version=$2 tag=${3:-}
# shellcheck source=charts/sources.sh
. "$root/charts/sources.sh"
mkdir -p "$directory"
exec 9>"$directory/lock"
flock 9
log=$directory/build.log
: >"$log"

quietly() {
    if ! "$@" >>"$log" 2>&1; then
        tail -n 30 "$log" >&2
        exit 1
    fi
}

if [ -n "$tag" ]; then
    git -C "$root" archive "$tag" -- extension sql gateway sidecar | tar -x -C "$directory"
else
    copy_sources "$directory"
    # as old as it is here, or everything would be built again
    control=extension/reasoning_graph.control
    sed -i "s/^default_version *=.*/default_version = '$version'/" "$directory/$control"
    touch -r "$root/$control" "$directory/$control"
fi
quietly make -C "$directory/gateway"
quietly make -j2 -C "$directory/sidecar"
quietly make -j2 -C "$directory/sidecar/verify"
