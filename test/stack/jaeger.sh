#!/bin/sh
# Build Jaeger, which shows spans, unless it is there; print its path.
#
#   jaeger.sh DIR
#
# It is Jaeger's program of everything in one process, with spans in memory, and without its pages. It comes through the Go module
# proxy; needs go 1.24 or later in PATH, and some minutes.
set -eu
version=v1.76.0
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
one_at_a_time "$1"
dir=$(cd "$1" && pwd)
if [ ! -x "$dir/jaeger-$version" ]; then
    needs_go
    mkdir -p "$dir/src"
    printf 'module reason.test/jaeger\n\ngo 1.24.6\n\nrequire github.com/jaegertracing/jaeger %s\n' "$version" >"$dir/src/go.mod"
    cd "$dir/src"
    export GOFLAGS=-mod=mod
    three_times go build -p 2 -o "$dir/jaeger-$version" github.com/jaegertracing/jaeger/cmd/all-in-one
    rm -rf "$dir/src"
fi
echo "$dir/jaeger-$version"
