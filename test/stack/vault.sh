#!/bin/sh
# Build the Vault server that the transit client is tested with, unless it is there; print its path.
#
#   vault.sh DIR
#
# It comes through the Go module proxy; needs go 1.25 or later in PATH, 7 GB of disk meanwhile, and some minutes. It
# cannot be installed as it is, because its module replaces others: it is built from a module of ours that requires it.
set -eu
version=v1.21.0
sdk=v0.20.0 # of that release, which its module takes from the folder beside it
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
one_at_a_time "$1"
dir=$(cd "$1" && pwd)
if [ ! -x "$dir/vault-$version" ]; then
    needs_go
    mkdir -p "$dir/src"
    cp "$root/test/stack/vault/main.go" "$dir/src/"
    # The replacements are those of its own go.mod, which count for the main module alone.
    cat >"$dir/src/go.mod" <<MODULE
module reason.test/vault

go 1.25.1

require (
	github.com/hashicorp/vault $version
	github.com/hashicorp/vault/sdk $sdk
)

replace github.com/99designs/keyring => github.com/Jeffail/keyring v1.2.3

replace github.com/ma314smith/signedxml v1.1.1 => github.com/moov-io/signedxml v1.1.1
MODULE
    cd "$dir/src"
    export GOPATH="$dir/go" GOCACHE="$dir/cache" GOFLAGS='-modcacherw -mod=mod'
    three_times go build -p 2 -o "$dir/vault-$version" .
    rm -rf "$dir/go" "$dir/cache" "$dir/src"
fi
echo "$dir/vault-$version"
