#!/usr/bin/env bash
# Build the container images without a container engine, from Debian's packages: an OCI layout and a list of what is in it
# (SPDX) each, in .build/images.
#
#   build.sh [NAME…]     default: gateway sidecar postgres
#
# The base is a Debian by mmdebstrap; what goes over it, the Dockerfiles say, which buildah runs. All times are those of the
# last commit, so that the same sources and the same packages of Debian give the same image. The base of the image of
# PostgreSQL is that Debian with its PostgreSQL; whoever has Docker's image, or CloudNativePG's, takes that instead.
set -euo pipefail
images=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$images/../.." && pwd)
# shellcheck source=charts/sources.sh
. "$images/../sources.sh"
names=("$@")
[ $# -gt 0 ] || names=(gateway sidecar postgres)
work=$root/.build/images
version=$(source_version)
SOURCE_DATE_EPOCH=$(source_date)
export SOURCE_DATE_EPOCH

if [ "$(id -u)" -ne 0 ] || ! command -v buildah >/dev/null || ! command -v mmdebstrap >/dev/null; then
    echo "images are made by root, with buildah and mmdebstrap: make images installs them" >&2
    exit 1
fi
mkdir -p "$work"

# A store of images of our own, for as long as this runs.
storage=$(mktemp -d "$work/storage.XXXXXX")
trap 'rm -rf "$storage"' EXIT
with_buildah() {
    buildah --root "$storage/root" --runroot "$storage/run" --storage-driver vfs "$@"
}

# base NAME [PACKAGE…]: a Debian, updates and security included, with these packages beside the essential ones, as the image NAME
base() {
    local name=$1 container
    shift
    mmdebstrap --quiet --variant=minbase --include="ca-certificates $*" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        bookworm "$storage/base.tar"
    container=$(with_buildah from --quiet scratch)
    with_buildah add --quiet "$container" "$storage/base.tar" / >/dev/null
    with_buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    with_buildah commit --quiet --rm --timestamp "$SOURCE_DATE_EPOCH" "$container" "$name" >/dev/null
    rm "$storage/base.tar"
}

# image NAME BASE [ARGUMENT…]: what NAME.Dockerfile says
image() {
    local name=$1 base=$2 container
    shift 2
    echo "$name: building"
    if ! with_buildah bud --quiet --isolation chroot --layers=false --timestamp "$SOURCE_DATE_EPOCH" \
        --build-arg "BASE=$base" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" "$@" \
        --label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.licenses=PostgreSQL" \
        --file "$images/$name.Dockerfile" --tag "reasoning-graph/$name:$version" "$storage/sources" >"$work/$name.log" 2>&1; then
        tail -n 30 "$work/$name.log" >&2
        exit 1
    fi
    rm -rf "${work:?}/$name"
    with_buildah push --quiet "reasoning-graph/$name:$version" "oci:$work/$name:$version"
    container=$(with_buildah from --quiet "reasoning-graph/$name:$version")
    "$work/tools/bin/python" "$images/contents.py" "$name" "$version" "$(with_buildah mount "$container")" \
        "$root/gateway/ui/package-lock.json" "$work/$name.spdx.json"
    with_buildah rm "$container" >/dev/null
    echo "$name: $(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' "$work/$name/index.json"), $(du -sh "$work/$name" | cut -f 1), in .build/images/$name"
}

if ! [ -x "$work/tools/bin/debsbom" ]; then
    rm -rf "$work/tools"
    python3 -m venv "$work/tools"
    "$work/tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement "$images/tools.txt"
fi
copy_sources "$storage/sources"
with_debian=
for name in "${names[@]}"; do
    case $name in
        gateway | sidecar)
            [ -n "$with_debian" ] || base localhost/debian
            with_debian=yes
            image "$name" localhost/debian
            ;;
        postgres)
            base localhost/postgres postgresql-15
            image postgres localhost/postgres --build-arg RUN_AS=postgres
            ;;
        *)
            echo "there is no $name.Dockerfile" >&2
            exit 2
            ;;
    esac
done
