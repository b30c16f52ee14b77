#!/bin/sh
# Build the S3 server that gives session tokens, unless it is there; print its path.
#
#   seaweedfs.sh DIR
#
# SeaweedFS comes through the Go module proxy; needs go 1.26.6 or later in PATH, 8 GB of disk meanwhile, and a quarter of an
# hour. It cannot be installed as it is, because its module replaces another: it is built from a module of ours.
set -eu
version=v0.0.0-20261109003541-7506e5f91cd6 # 4.53
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
one_at_a_time "$1"
dir=$(cd "$1" && pwd)
if [ ! -x "$dir/weed-$version" ]; then
    needs_go
    mkdir -p "$dir/src"
    printf 'module reason.test/seaweedfs\n\ngo 1.26.6\n\nrequire github.com/seaweedfs/seaweedfs %s\n' "$version" >"$dir/src/go.mod"
    cd "$dir/src"
    export GOPATH="$dir/go" GOCACHE="$dir/cache" GOFLAGS='-modcacherw -mod=mod'
    three_times go build -p 2 -o "$dir/weed-$version" github.com/seaweedfs/seaweedfs/weed
    rm -rf "$dir/go" "$dir/cache" "$dir/src"
fi
echo "$dir/weed-$version"
