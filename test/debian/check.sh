#!/usr/bin/env bash
# Run the commands of a page of docs/for-operators, block by block, on a minimal Debian.
#
#   check.sh                the page debian, with the packages of make deb; it leads to a verified snapshot in under 30 commands
#   check.sh from-source    that page, with the sources
#
# The Debian is made by mmdebstrap, once, and kept in .build/images; what the page does to it is laid over it in memory and
# gone afterwards. All runs in mount and process namespaces of its own and, once packages are installed, without a network.
# systemd cannot run there: test/debian/systemctl does what the units say. Needs root, and a network for the packages.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
name=${1:-debian}
page=$root/docs/for-operators/$name.md
base=$root/.build/images/debian-minbase
most_commands=29

if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null; then
    echo "a Debian to try the page on is made by root, with mmdebstrap" >&2
    exit 1
fi

# The commands up to the section "Later": lines that go on and what is fed to a command are parts of it.
commands=$(awk '/^## Later/ { exit } /^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } !inside || /^ *$/ || /^#/ { next }
    ending != "" { if ($0 == ending) ending = ""; next }
    { if (!more && !/^ /) count++; more = /\\$/; if (match($0, /<<.[A-Z]+./)) ending = substr($0, RSTART + 3, RLENGTH - 4) } END { print count }' "$page")
if [ "$name" = debian ] && [ "$commands" -gt $most_commands ]; then
    echo "the page has $commands commands up to a verified snapshot, more than $most_commands" >&2
    exit 1
fi

if [ "${2:-}" != inside ]; then
    if [ ! -d "$base" ]; then
        mkdir -p "$(dirname "$base")"
        rm -rf "$base.new"
        mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$base.new"
        mv "$base.new" "$base"
    fi
    exec unshare --mount --mount-proc --pid --fork --kill-child --propagation private "$0" "$name" inside
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
if [ "$name" = from-source ]; then
    source=$machine/usr/src/reasoning-graph
    mkdir -p "$source"
    (cd "$root" && git ls-files -z -- Makefile extension sql gateway sidecar test/stack | tar -c --null -T - | tar -x -C "$source")
    directory=/usr/src/reasoning-graph
else
    mkdir $machine/root/packages
    cp "$root"/.build/packages/*.deb $machine/root/packages/
    # The shim for systemctl is Python's; the packages themselves need none.
    chroot $machine sh -c 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-minimal python3' >/dev/null
    directory=/root
fi

# A file for each block of commands, in the order of the page.
mkdir $machine/blocks
awk -v directory="$machine/blocks" '/^```sh$/ { file = sprintf("%s/%02d", directory, ++count); inside = 1; next }
    /^```$/ { inside = 0 } inside { print > file }' "$page"
blocks=$(find $machine/blocks -type f | wc -l)
[ "$blocks" -ge 6 ] || {
    echo "the page has lost its commands" >&2
    exit 1
}

in_machine() {
    chroot $machine env DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}

# Says which block it is at, and goes on in the same shell, as somebody who types them does.
cat >$machine/run-blocks <<'END'
set -e
cd "$1"
shift
for block in "$@"; do
    echo "--- block $block"
    sed 's/^/    /' "/blocks/$block"
    echo "$block" >/at
    . "/blocks/$block"
    echo "$block" >>/passed
done
END
: >$machine/passed

give_up() {
    echo "block $(cat $machine/at) failed" >&2
    tail -n 20 $machine/var/log/reason-gateway/* $machine/var/log/reason-*.out $machine/var/log/postgresql/* 2>/dev/null >&2 || true
    echo "$(wc -l <$machine/passed) passed, 1 failed"
    exit 1
}

[ "$name" = debian ] || chroot $machine apt-get -qq update
in_machine bash /run-blocks $directory 01 || give_up
# From here on nothing is fetched, and nothing is to be seen of the servers from outside.
unshare --net="$work/network" true
nsenter --net="$work/network" ip link set lo up
# as the package does on a machine where it may
nsenter --net="$work/network" chroot $machine pg_ctlcluster 15 main start
# shellcheck disable=SC2046  # one word a block
nsenter --net="$work/network" chroot $machine env DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    bash /run-blocks $directory $(find $machine/blocks -type f -printf '%f\n' | sort | tail -n +2) || give_up

nodes=$(nsenter --net="$work/network" chroot $machine runuser -u postgres -- psql -X -At reason -c "SELECT count(*) FROM reason.node WHERE author = 'me'")
[ "$nodes" -eq 1 ] || {
    echo "the record of the page is not there" >&2
    exit 1
}
if [ "$name" = debian ]; then
    verified=$(nsenter --net="$work/network" chroot $machine runuser -u postgres -- psql -X -At reason -c "SELECT count(*) FROM reason.snapshot s, reason.verify_snapshot(s.id) v WHERE v.ok")
    [ "$verified" -eq 1 ] || {
        echo "there is no verified snapshot" >&2
        exit 1
    }
    # Rotated, nginx writes into a new file; removed, the packages leave what is not theirs.
    [ -e $machine/var/log/reason-gateway/access.log.1 ] || {
        echo "the logs were not rotated" >&2
        exit 1
    }
    for service in reason-gateway reason-sidecar; do
        nsenter --net="$work/network" chroot $machine systemctl stop $service
    done
    nsenter --net="$work/network" chroot $machine dpkg --purge reason-gateway reason-sidecar reason-verify reason-approve libnginx-mod-http-reason >/dev/null
    for kept in /etc/reason/signer.pem /etc/reason/gateway/tls/server.key /var/lib/reason/store; do
        [ -e $machine$kept ] || {
            echo "purging the packages removed $kept" >&2
            exit 1
        }
    done
    if [ -e $machine/etc/reason-sidecar.conf ] || [ -e $machine/var/log/reason-gateway ]; then
        echo "purging the packages left their own files" >&2
        exit 1
    fi
    echo "$commands commands from nothing to a verified snapshot"
fi
echo "$(wc -l <$machine/passed) passed, 0 failed"
