#!/bin/sh
# A real JanusGraph (BerkeleyDB Java Edition below it) for the tests of mirrors.
#
#   janusgraph.sh jars DIR               fetch its jars from Maven Central into DIR/jars, unless they are there
#   janusgraph.sh run DIR DATA PORT      run Gremlin Server with the graph in DATA, HTTP on 127.0.0.1:PORT, in the foreground
#
# Needs a JDK and Maven.
set -eu
version=1.1.0
command=$1
dir=$2

case $command in
    jars)
        mkdir -p "$dir/jars"
        # Where two suites ask for them at once the second waits.
        exec 9>"$dir/jars.lock"
        flock 9
        [ -e "$dir/complete" ] && exit 0
        cat >"$dir/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>reason.test</groupId><artifactId>janusgraph</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.janusgraph</groupId><artifactId>janusgraph-server</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.janusgraph</groupId><artifactId>janusgraph-berkeleyje</artifactId><version>$version</version></dependency>
    <!-- which the server calls, and its own dependencies name an older one -->
    <dependency><groupId>org.apache.commons</groupId><artifactId>commons-lang3</artifactId><version>3.14.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
        # A repository that did not answer at once may answer the next time.
        for attempt in 1 2 3; do
            if mvn -q -B -f "$dir/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(cd "$dir" && pwd)/jars" >"$dir/mvn.log" 2>&1; then
                touch "$dir/complete"
                exit 0
            fi
            echo "janusgraph.sh: attempt $attempt failed" >&2
            sleep 5
        done
        cat "$dir/mvn.log" >&2
        exit 1
        ;;
    run)
        data=$3
        mkdir -p "$data"
        cat >"$data/graph.properties" <<PROPERTIES
gremlin.graph=org.janusgraph.core.JanusGraphFactory
storage.backend=berkeleyje
storage.directory=$data/graph
storage.transactions=true
PROPERTIES
        echo "def globals = [:]; globals << [g: traversal().withEmbedded(graph)]" >"$data/init.groovy"
        cat >"$data/server.yaml" <<YAML
host: 127.0.0.1
port: $4
evaluationTimeout: 60000
channelizer: org.apache.tinkerpop.gremlin.server.channel.HttpChannelizer
graphs: {graph: $data/graph.properties}
maxContentLength: 16777216
scriptEngines:
  gremlin-groovy:
    plugins:
      org.janusgraph.graphdb.tinkerpop.plugin.JanusGraphGremlinPlugin: {}
      org.apache.tinkerpop.gremlin.jsr223.ImportGremlinPlugin: {classImports: [java.lang.Math], methodImports: [java.lang.Math#*]}
      org.apache.tinkerpop.gremlin.jsr223.ScriptFileGremlinPlugin: {files: [$data/init.groovy]}
serializers:
  - {className: org.apache.tinkerpop.gremlin.util.ser.GraphSONUntypedMessageSerializerV1}
YAML
        exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --add-opens java.base/java.lang=ALL-UNNAMED -cp "$dir/jars/*" \
            org.janusgraph.graphdb.server.JanusGraphServer "$data/server.yaml"
        ;;
    *)
        echo "usage: janusgraph.sh jars DIR | janusgraph.sh run DIR DATA PORT" >&2
        exit 2
        ;;
esac
