#!/bin/sh
# Build the S3 server that the sidecar's tests run against, unless it is there; print its path.
#
#   versitygw.sh DIR
#
# Versity S3 Gateway over a directory: versioning, object lock, checksums and If-None-Match, and it refuses
# what AWS refuses. It comes through the Go module proxy; needs go 1.24 or later in PATH.
set -eu
version=v1.8.0
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
dir=$1
one_at_a_time "$dir"
if [ ! -x "$dir/versitygw-$version" ]; then
    needs_go
    dir=$(cd "$dir" && pwd)
    export GOBIN="$dir"
    three_times go install -p 2 "github.com/versity/versitygw/cmd/versitygw@$version"
    mv "$dir/versitygw" "$dir/versitygw-$version"
fi
echo "$dir/versitygw-$version"
