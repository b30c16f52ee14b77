#!/bin/sh
# A real JanusGraph (BerkeleyDB Java Edition below it) for the tests of mirrors.
#
#   janusgraph.sh jars DIR               fetch its jars from Maven Central into DIR/jars, unless they are there
#   janusgraph.sh run DIR DATA PORT      run Gremlin Server with the graph in DATA, HTTP on 127.0.0.1:PORT, in the foreground
#
# Needs a JDK and Maven.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
version=1.1.0
command=$1
dir=$2

case $command in
    jars)
        # its own dependencies name an older commons-lang3 than the server calls
        maven_jars "$dir" "$version" "$(
            dependency org.janusgraph janusgraph-server "$version"
            dependency org.janusgraph janusgraph-berkeleyje "$version"
            dependency org.apache.commons commons-lang3 3.14.0
            dependency org.slf4j slf4j-simple 1.7.36
        )"
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
