#!/bin/sh
# Build etcd and kube-apiserver, which the sidecar's Lease is tested with, unless they are there.
#
#   kube.sh DIR       afterwards there are DIR/etcd and DIR/kube-apiserver
#
# They come through the Go module proxy; needs go 1.25 or later in PATH, and some minutes. Neither can be installed
# as it is, because their modules replace others: each is built from a module of ours that requires it.
set -eu
etcd=v3.6.16
kubernetes=34.4 # v1.34.4, whose parts are modules of their own, v0.34.4
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
one_at_a_time "$1"
dir=$(cd "$1" && pwd)
if [ -x "$dir/kube-apiserver" ] && [ -x "$dir/etcd" ]; then
    exit 0
fi
needs_go
export GOPATH="$dir/go" GOFLAGS='-modcacherw -mod=mod'

# build NAME PROGRAM LDFLAGS: from the sources beside this script and the go.mod that is there
build() {
    cp "$root/test/stack/kube/$1/main.go" "$dir/src/$1/"
    cd "$dir/src/$1"
    three_times go mod tidy
    go build -p 2 -ldflags "$3" -o "$2" . >&2
}

mkdir -p "$dir/src/etcd" "$dir/src/apiserver"
printf 'module reason.test/etcd\n\ngo 1.24.0\n\nrequire go.etcd.io/etcd/server/v3 %s\n' "$etcd" >"$dir/src/etcd/go.mod"
build etcd "$dir/etcd" ''
cd "$dir/src"
theirs=$(go mod download -json "k8s.io/kubernetes@v1.$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
{
    printf 'module reason.test/kube-apiserver\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v1.%s\n\nreplace (\n' "$kubernetes"
    sed -n "s|^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging/.*|\t\1 => \1 v0.$kubernetes|p" "$theirs"
    printf ')\n'
} >"$dir/src/apiserver/go.mod"
build apiserver "$dir/kube-apiserver" "-X k8s.io/component-base/version.gitVersion=v1.$kubernetes"
rm -rf "$dir/go" "$dir/src"
