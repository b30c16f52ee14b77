#!/bin/sh
# Build the OpenTelemetry Collector that the sidecar's tests export to, unless it is there; print its path.
#
#   otelcol.sh DIR
#
# The Collector's own receiver of OTLP, and an exporter that prints what came. It comes through the Go module
# proxy; needs go 1.25 or later in PATH.
set -eu
version=v0.165.0
manifest=$(cd "$(dirname "$0")" && pwd)/otelcol.yaml
dir=$1
mkdir -p "$dir"
# Where two suites ask for it at once the second waits.
exec 9>"$dir/otelcol.lock"
flock 9
if [ ! -x "$dir/otelcol-$version" ]; then
    command -v go >/dev/null 2>&1 || {
        echo "otelcol.sh: there is no go in PATH" >&2
        exit 1
    }
    dir=$(cd "$dir" && pwd)
    cd "$dir"
    # What a proxy did not answer at once it may answer the next time; what was fetched stays fetched.
    for attempt in 1 2 3; do
        GOPATH=$dir/go GOFLAGS='-modcacherw -p=2' go run "go.opentelemetry.io/collector/cmd/builder@$version" --config="$manifest" >&2 && break
        echo "otelcol.sh: attempt $attempt failed" >&2
        sleep 5
    done
    mv "$dir/build/otelcol" "$dir/otelcol-$version"
    rm -rf "$dir/go" "$dir/build"
fi
echo "$dir/otelcol-$version"
