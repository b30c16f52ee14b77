#!/bin/sh
# Build the S3 server that the sidecar's tests run against, unless it is there; print its path.
#
#   versitygw.sh DIR
#
# Versity S3 Gateway over a directory: versioning, object lock, checksums and If-None-Match, and it refuses
# what AWS refuses. It comes through the Go module proxy; needs go 1.24 or later in PATH.
set -eu
version=v1.8.0
dir=$1
mkdir -p "$dir"
# Where two suites ask for it at once the second waits.
exec 9>"$dir/versitygw.lock"
flock 9
if [ ! -x "$dir/versitygw-$version" ]; then
    command -v go >/dev/null 2>&1 || {
        echo "versitygw.sh: there is no go in PATH" >&2
        exit 1
    }
    dir=$(cd "$dir" && pwd)
    # What a proxy did not answer at once it may answer the next time; what was fetched stays fetched.
    for attempt in 1 2 3; do
        GOPATH=$dir/go GOBIN=$dir GOFLAGS=-modcacherw go install -p 2 "github.com/versity/versitygw/cmd/versitygw@$version" >&2 && break
        echo "versitygw.sh: attempt $attempt failed" >&2
        sleep 5
    done
    mv "$dir/versitygw" "$dir/versitygw-$version"
    rm -rf "$dir/go"
fi
echo "$dir/versitygw-$version"
