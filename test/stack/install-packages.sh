#!/bin/sh
# Install the Debian packages that are missing; say nothing when none is.
#
#   install-packages.sh LIST…     each LIST names one package a line, # starts a comment
#
# As root it calls apt-get, as a user with sudo it asks sudo, and otherwise it says
# exactly what an administrator has to install.
set -eu

wanted=$(sed 's/#.*//' "$@" | tr -s ' \t\n' '\n' | sed '/^$/d' | sort -u)
missing=''
for package in $wanted; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=''
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
else
    echo "These Debian packages are missing, and this user may not install them:" >&2
    echo "   $missing" >&2
    echo "Have an administrator run:  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing missing packages:$missing"

apt() {
    # policy-rc.d is not ours to write; RUNLEVEL=1 keeps packages from starting their daemons.
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1
}

# shellcheck disable=SC2086  # one word a package
if ! apt install -y --no-install-recommends $missing; then
    # The lists may be older than the archive: fetch them once, then try again.
    if ! apt update || ! apt install -y --no-install-recommends $missing; then
        cat "$log" >&2
        echo "Could not install:$missing" >&2
        exit 1
    fi
fi
