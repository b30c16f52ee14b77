#!/bin/sh
# Build the Debian packages into .build/packages, from what git knows of the working tree. Quiet when all is well.
#
# The version is the extension's; the date of the changelog, and with it of the files in the packages, is that of the last
# commit, so that the same sources give the same packages.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
# shellcheck source=charts/sources.sh
. charts/sources.sh
version=$(source_version)
SOURCE_DATE_EPOCH=$(source_date)
export SOURCE_DATE_EPOCH
work=.build/deb
tree=$work/reasoning-graph-$version
rm -rf "$work"
copy_sources "$tree"
cp -a charts/debian "$tree/debian"
rm "$tree/debian/README.md" "$tree/debian/build.sh"
cat >"$tree/debian/changelog" <<END
reasoning-graph ($version-1) bookworm; urgency=medium

  * See CHANGELOG.md.

 -- Reasoning Graph contributors <packages@reasoning-graph.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
log=$root/.build/deb/build.log
if ! (cd "$tree" && DEB_BUILD_OPTIONS="noautodbgsym nocheck parallel=2" dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo >"$log" 2>&1); then
    tail -n 20 "$log" | cut -c 1-300 >&2
    exit 1
fi
# No bug of Debian asks for these packages.
if command -v lintian >/dev/null && ! lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs --allow-root --info "$work"/*.changes >"$work/lintian.log" 2>&1; then
    cat "$work/lintian.log" >&2
    exit 1
fi
rm -rf .build/packages
mkdir -p .build/packages
mv "$work"/*.deb .build/packages/
ls .build/packages/*.deb
