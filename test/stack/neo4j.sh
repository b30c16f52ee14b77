#!/bin/sh
# A real Neo4j (community) for the tests of mirrors.
#
#   neo4j.sh jars DIR               fetch Neo4j's jars from Maven Central into DIR/jars, unless they are there
#   neo4j.sh run DIR DATA PORT      run a server with its data in DATA on 127.0.0.1:PORT (HTTP) and PORT + 1 (Bolt), in the foreground
#
# Needs a JDK and Maven.
set -eu
version=5.26.0
command=$1
dir=$2
here=$(cd "$(dirname "$0")" && pwd)

case $command in
    jars)
        mkdir -p "$dir/jars" "$dir/classes"
        # Where two suites ask for them at once the second waits.
        exec 9>"$dir/jars.lock"
        flock 9
        if [ ! -e "$dir/complete" ]; then
            cat >"$dir/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>reason.test</groupId><artifactId>neo4j</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.neo4j.app</groupId><artifactId>neo4j-server</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>$version</version></dependency>
  </dependencies>
</project>
POM
            # A repository that did not answer at once may answer the next time.
            for attempt in 1 2 3; do
                if mvn -q -B -f "$dir/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(cd "$dir" && pwd)/jars" >"$dir/mvn.log" 2>&1; then
                    touch "$dir/complete"
                    break
                fi
                echo "neo4j.sh: attempt $attempt failed" >&2
                sleep 5
            done
            [ -e "$dir/complete" ] || {
                cat "$dir/mvn.log" >&2
                exit 1
            }
        fi
        [ -z "$(find "$here/neo4j/RunNeo4j.java" -newer "$dir/classes/RunNeo4j.class" 2>/dev/null || echo none)" ] ||
            javac -cp "$dir/jars/*" -d "$dir/classes" "$here/neo4j/RunNeo4j.java"
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
