# shellcheck shell=sh
# The sources that packages and images are made of. Sourced; root is the checkout.
# shellcheck disable=SC2154  # root is set by whoever sources this

# The version of the extension, which is that of all the rest.
source_version() {
    sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$root/extension/reasoning_graph.control"
}

# Seconds since 1970 of the last commit: the time of all files that are made, so that the same sources give the same files.
source_date() {
    git -C "$root" log -1 --format=%ct
}

# copy_sources DIRECTORY: what git knows of the working tree. The explorer and the auditor's page come too if they were built
# here (make -C gateway ui): packages and images are made without Node.
copy_sources() {
    mkdir -p "$1"
    (cd "$root" && git ls-files -z -- LICENSE extension sql gateway sidecar test/stack | tar -c --null -T -) | tar -x -C "$1"
    for built in ui page; do
        if [ -d "$root/gateway/build/$built" ]; then
            mkdir -p "$1/gateway/build"
            cp -a "$root/gateway/build/$built" "$1/gateway/build/"
        fi
    done
}
