#!/bin/sh
# Build the OpenTelemetry Collector that the sidecar's tests export to, unless it is there; print its path.
#
#   otelcol.sh DIR
#
# The Collector's own receiver of OTLP, and an exporter that prints what came. It comes through the Go module
# proxy; needs go 1.25 or later in PATH.
set -eu
version=v0.165.0
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
dir=$1
one_at_a_time "$dir"
if [ ! -x "$dir/otelcol-$version" ]; then
    needs_go
    dir=$(cd "$dir" && pwd)
    cd "$dir"
    export GOFLAGS=-p=2
    three_times go run "go.opentelemetry.io/collector/cmd/builder@$version" --config="$root/test/stack/otelcol.yaml"
    mv "$dir/build/otelcol" "$dir/otelcol-$version"
    rm -rf "$dir/build"
fi
echo "$dir/otelcol-$version"
