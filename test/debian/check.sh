#!/usr/bin/env bash
# Run the commands of docs/for-operators/debian.md, block by block, on a minimal Debian.
#
# The Debian is made by mmdebstrap, once, and kept in .build/images; what the page does to it is laid over it in memory and
# gone afterwards. All runs in mount and process namespaces of its own and, once packages are installed, without a network.
# systemd cannot run there: test/debian/systemctl does what the units say. Needs root, and a network for the packages.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
page=$root/docs/for-operators/debian.md
base=$root/.build/images/debian-minbase

if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null; then
    echo "a Debian to try the page on is made by root, with mmdebstrap" >&2
    exit 1
fi

if [ "${1:-}" != inside ]; then
    if [ ! -d "$base" ]; then
        mkdir -p "$(dirname "$base")"
        rm -rf "$base.new"
        mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$base.new"
        mv "$base.new" "$base"
    fi
    exec unshare --mount --mount-proc --pid --fork --kill-child --propagation private "$0" inside
fi

work=/mnt
mount -t tmpfs -o mode=755 tmpfs $work
mkdir $work/upper $work/work $work/machine
touch $work/network
machine=$work/machine
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" $machine
mount -t proc proc $machine/proc
mount --rbind /dev $machine/dev
cp /etc/resolv.conf /etc/hosts $machine/etc/
# packages start nothing: the page says when
printf '#!/bin/sh\nexit 101\n' >$machine/usr/sbin/policy-rc.d
chmod 755 $machine/usr/sbin/policy-rc.d
install -m 755 "$root/test/debian/systemctl" $machine/usr/local/sbin/systemctl
source=$machine/usr/src/reasoning-graph
mkdir -p "$source"
(cd "$root" && git ls-files -z -- Makefile extension sql gateway sidecar test/stack | tar -c --null -T - | tar -x -C "$source")

# A file for each block of commands, in the order of the page.
mkdir $machine/blocks
awk -v directory="$machine/blocks" '/^```sh$/ { file = sprintf("%s/%02d", directory, ++count); inside = 1; next }
    /^```$/ { inside = 0 } inside { print > file }' "$page"
[ "$(find $machine/blocks -type f | wc -l)" -ge 8 ] || {
    echo "the page has lost its commands" >&2
    exit 1
}

passed=0
block() {
    echo "--- block $1"
    sed 's/^/    /' "$machine/blocks/$1"
    if ! "${@:2}" chroot $machine env DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        bash -ec "cd /usr/src/reasoning-graph; . /blocks/$1"; then
        echo "block $1 failed" >&2
        tail -n 20 $machine/var/log/reason-gateway/* $machine/var/log/reason-*.out $machine/var/log/postgresql/* 2>/dev/null >&2 || true
        echo "$passed passed, 1 failed"
        exit 1
    fi
    passed=$((passed + 1))
}

chroot $machine apt-get -qq update
first=yes
for file in "$machine"/blocks/*; do
    if [ $first ]; then
        block "$(basename "$file")"
        first=''
        # From here on nothing is fetched, and nothing is to be seen of the servers from outside.
        unshare --net="$work/network" true
        nsenter --net="$work/network" ip link set lo up
        # as the package does on a machine where it may
        nsenter --net="$work/network" chroot $machine pg_ctlcluster 15 main start
    else
        block "$(basename "$file")" nsenter --net="$work/network"
    fi
done
nodes=$(nsenter --net="$work/network" chroot $machine runuser -u postgres -- psql -X -At reason -c "SELECT count(*) FROM reason.node WHERE author = 'me'")
[ "$nodes" -eq 1 ] || {
    echo "the record of the page is not there" >&2
    exit 1
}
echo "$passed passed, 0 failed"
