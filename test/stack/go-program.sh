#!/bin/sh
# Print the path of a program: the system's, or one built from the Go module proxy into .build/go.
#
#   go-program.sh NAME PACKAGE@VERSION
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
name=$1 package=$2
program=$root/.build/go/bin/$name
if command -v "$name"; then
    exit 0
fi
if [ ! -x "$program" ]; then
    command -v go >/dev/null || {
        echo "$name is not installed, and there is no Go to build it with" >&2
        exit 1
    }
    mkdir -p "$root/.build/go/bin"
    exec 9>"$root/.build/go/lock"
    flock 9
    [ -x "$program" ] || (cd /tmp && GOFLAGS=-mod=mod GOBIN="$root/.build/go/bin" go install "$package") >"$root/.build/$name.log" 2>&1 || {
        echo "$name could not be built, see $root/.build/$name.log" >&2
        exit 1
    }
fi
echo "$program"
