#!/bin/sh
# Build the program that reads dashboards as Grafana's types have them, unless it is there; print its path.
#
#   dashboard.sh DIR
#
# The types come through the Go module proxy; needs go 1.21 or later in PATH.
set -eu
version=v0.0.22
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
one_at_a_time "$1"
dir=$(cd "$1" && pwd)
if [ ! -x "$dir/dashboard-$version" ]; then
    needs_go
    mkdir -p "$dir/src"
    cp "$root/test/stack/dashboard/main.go" "$dir/src/"
    printf 'module reason.test/dashboard\n\ngo 1.21\n\nrequire github.com/grafana/grafana-foundation-sdk/go %s\n' "$version" >"$dir/src/go.mod"
    cd "$dir/src"
    export GOFLAGS=-mod=mod
    three_times go build -p 2 -o "$dir/dashboard-$version" .
    rm -rf "$dir/src"
fi
echo "$dir/dashboard-$version"
