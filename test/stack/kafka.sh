#!/bin/sh
# A real Kafka broker (KRaft, one node) for the sidecar's tests.
#
#   kafka.sh jars DIR                   fetch Kafka's jars from Maven Central into DIR/jars, unless they are there
#   kafka.sh run DIR DATA PORT [FRONT]  run a broker with its data in DATA (made when missing) on 127.0.0.1:PORT, in the foreground;
#                                       PORT + 2 asks for SASL/PLAIN, user sidecar, password kafka-password; PORT + 3 tells its
#                                       clients to come to port FRONT, where something stands in front of it; PORT + 4 speaks TLS, and
#                                       wants a certificate of the authority DATA/ca.pem, such as DATA/client.pem with DATA/client.key,
#                                       which is encrypted with kafka-password
#
# Needs a JDK and Maven. DATA/server.properties is written anew each time.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/test/stack/fetch.sh"
version=3.9.1
command=$1
dir=$2

case $command in
    jars)
        maven_jars "$dir" "$version" "$(
            dependency org.apache.kafka kafka_2.13 "$version"
            dependency org.slf4j slf4j-nop 1.7.36
        )"
        ;;
    run)
        data=$3
        port=$4
        front=${5:-$((port + 3))}
        mkdir -p "$data"
        if [ ! -e "$data/server.pem" ]; then
            new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2"
            {
                $new -nodes -subj /CN=ca -out "$data/ca.pem" -keyout "$data/ca.key"
                for name in server client; do
                    $new -nodes -subj "/CN=$name" -addext subjectAltName=IP:127.0.0.1 -CA "$data/ca.pem" -CAkey "$data/ca.key" \
                        -out "$data/$name.crt" -keyout "$data/$name.clear"
                done
            } 2>/dev/null
            openssl pkcs8 -topk8 -in "$data/client.clear" -out "$data/client.key" -passout pass:kafka-password
            mv "$data/client.crt" "$data/client.pem"
            cat "$data/server.clear" "$data/server.crt" >"$data/server.pem"
        fi
        cat >"$data/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1)),SASL_PLAINTEXT://127.0.0.1:$((port + 2)),FRONTED://127.0.0.1:$((port + 3)),SSL://127.0.0.1:$((port + 4))
advertised.listeners=PLAINTEXT://127.0.0.1:$port,SASL_PLAINTEXT://127.0.0.1:$((port + 2)),FRONTED://127.0.0.1:$front,SSL://127.0.0.1:$((port + 4))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,FRONTED:PLAINTEXT,SSL:SSL
listener.name.ssl.ssl.keystore.type=PEM
listener.name.ssl.ssl.keystore.location=$data/server.pem
listener.name.ssl.ssl.truststore.type=PEM
listener.name.ssl.ssl.truststore.location=$data/ca.pem
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_sidecar="kafka-password";
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$((port + 1))
log.dirs=$data/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=1
PROPERTIES
        if [ ! -e "$data/log/meta.properties" ]; then
            java -Xmx128m -cp "$dir/jars/*" kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$data/server.properties" >/dev/null
        fi
        exec java -Xmx256m -Xms128m -XX:TieredStopAtLevel=1 -cp "$dir/jars/*" kafka.Kafka "$data/server.properties"
        ;;
    *)
        echo "usage: kafka.sh jars DIR | kafka.sh run DIR DATA PORT" >&2
        exit 2
        ;;
esac
