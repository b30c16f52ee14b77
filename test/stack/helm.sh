#!/bin/sh
# Print the path of helm: the system's, or one built from the Go module proxy into .build/go.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
version=v3.16.4
program=$root/.build/go/bin/helm
if command -v helm; then
    exit 0
fi
if [ ! -x "$program" ]; then
    command -v go >/dev/null || {
        echo "helm is not installed, and there is no Go to build it with" >&2
        exit 1
    }
    mkdir -p "$root/.build/go/bin"
    exec 9>"$root/.build/go/lock"
    flock 9
    [ -x "$program" ] || (cd /tmp && GOFLAGS=-mod=mod GOBIN="$root/.build/go/bin" go install "helm.sh/helm/v3/cmd/helm@$version") >"$root/.build/helm.log" 2>&1 || {
        echo "helm could not be built, see $root/.build/helm.log" >&2
        exit 1
    }
fi
echo "$program"
