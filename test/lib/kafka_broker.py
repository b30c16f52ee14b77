"""A real Kafka broker, and what its messages must be."""

import json
import shutil
import subprocess

import pytest


confluent_kafka = pytest.importorskip("confluent_kafka")
if not (shutil.which("java") and shutil.which("mvn")):
    pytest.skip("a Kafka broker needs a JDK and Maven", allow_module_level=True)

from confluent_kafka.admin import AdminClient, NewTopic

from paths import ROOT
from ports import free_port
from program import Program

SCRIPT = ROOT / "test" / "stack" / "kafka.sh"
HOME = ROOT / ".build" / "kafka"


class Broker(Program):
    """A broker; a proxy that stands in front of it, if there is one, is reached by clients of proxy.port."""

    def __init__(self, directory, proxy=None):
        super().__init__(directory.with_name(f"{directory.name}.log"))
        self.directory = directory
        self.port = free_port(5)
        self.front = []
        if proxy:
            proxy.behind = self.port + 3
            self.front = [str(proxy.port)]
        subprocess.run([SCRIPT, "jars", HOME], check=True, timeout=300)
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.launch(SCRIPT, "run", HOME, self.directory, str(self.port), *self.front)

        def answers():
            try:
                AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=2)
                return True
            except confluent_kafka.KafkaException:
                return False
        self.wait_until(answers, 120)

    def make_topic(self, topic, **settings):
        admin = AdminClient({"bootstrap.servers": self.address})
        admin.create_topics([NewTopic(topic, 3, 1, config=settings)])[topic].result(20)

    def messages(self, topic):
        """Every message, by partition and offset."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": "test", "enable.auto.commit": False})
        got = []
        for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            partition = confluent_kafka.TopicPartition(topic, number, 0)
            _, end = consumer.get_watermark_offsets(partition, timeout=10)
            consumer.assign([partition])
            offset = 0
            while offset < end:
                message = consumer.poll(10)
                assert message is not None, f"partition {number} ends at {offset}, not {end}"
                assert message.error() is None
                got.append((message.key().decode(), message.value().decode()))
                offset = message.offset() + 1
        consumer.close()
        return got


def emitted(database, topic):
    return database.value("SELECT bool_and(coalesce(m.seq, -1) = c.head_seq) FROM reason.signed_chains() c "
                          "LEFT JOIN reason.emission m ON m.division = c.division AND m.target = %s", topic)


def without_repeats(messages):
    """What a consumer sees that drops repeats by (division, seq): it must be each chain in order."""
    seen = {}
    for key, value in messages:
        event = json.loads(value)
        assert event["division"] == key
        expected = seen.get(key, 0)
        assert event["seq"] <= expected, f"division {key}: {event['seq']} after {expected - 1}"
        if event["seq"] == expected:
            seen[key] = expected + 1
    return seen


def heads(database):
    return {division: head + 1 for division, head in database.rows("SELECT * FROM reason.signed_chains()")}
