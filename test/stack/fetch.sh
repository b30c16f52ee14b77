# shellcheck shell=sh
# How the scripts here get what registries have. Sourced.

# one_at_a_time DIR: where two suites ask for the same, the second waits for the first.
one_at_a_time() {
    mkdir -p "$1"
    exec 9>"$1/lock"
    flock 9
}

needs_go() {
    command -v go >/dev/null 2>&1 || {
        echo "${0##*/}: there is no go in PATH" >&2
        exit 1
    }
}

# three_times COMMAND…: a registry that did not answer at once may answer the next time; what was fetched stays fetched.
three_times() {
    for attempt in 1 2 3; do
        "$@" >&2 && return
        echo "${0##*/}: attempt $attempt failed" >&2
        sleep 5
    done
    return 1
}

# maven_jars DIR VERSION DEPENDENCIES: the jars of these and of what they need, in DIR/jars, unless they are there in this version
maven_jars() {
    one_at_a_time "$1"
    [ "$(cat "$1/complete" 2>/dev/null)" = "$2" ] && return
    rm -rf "$1/jars"
    cat >"$1/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>reason.test</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>$3</dependencies>
</project>
POM
    three_times mvn -q -B -f "$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(cd "$1" && pwd)/jars"
    echo "$2" >"$1/complete"
}

# dependency GROUP ARTIFACT VERSION: as a pom.xml has it
dependency() {
    echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"
}
