#!/bin/sh
# A real Neo4j (community) for the tests of mirrors.
#
#   neo4j.sh jars DIR               fetch Neo4j's jars from Maven Central into DIR/jars, unless they are there
#   neo4j.sh run DIR DATA PORT      run a server with its data in DATA on 127.0.0.1:PORT (HTTP) and PORT + 1 (Bolt), in the foreground
#
# Needs a JDK and Maven.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
version=5.26.0
command=$1
dir=$2

case $command in
    jars)
        maven_jars "$dir" "$version" "$(
            dependency org.neo4j.app neo4j-server "$version"
            dependency org.neo4j neo4j "$version"
        )"
        mkdir -p "$dir/classes"
        [ -z "$(find "$root/test/stack/neo4j/RunNeo4j.java" -newer "$dir/classes/RunNeo4j.class" 2>/dev/null || echo none)" ] ||
            javac -cp "$dir/jars/*" -d "$dir/classes" "$root/test/stack/neo4j/RunNeo4j.java"
        ;;
    run)
        mkdir -p "$3"
        exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$dir/classes:$dir/jars/*" RunNeo4j "$3" "$4"
        ;;
    *)
        echo "usage: neo4j.sh jars DIR | neo4j.sh run DIR DATA PORT" >&2
        exit 2
        ;;
esac
