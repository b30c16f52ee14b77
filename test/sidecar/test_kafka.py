"""Events to a real Kafka broker: everything, in order, over deaths of either side."""

import json
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, free_port, wait_for
from otlp import Receiver, traced_request

confluent_kafka = pytest.importorskip("confluent_kafka")
if not (shutil.which("java") and shutil.which("mvn")):
    pytest.skip("a Kafka broker needs a JDK and Maven", allow_module_level=True)

from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

SCRIPT = ROOT / "test" / "stack" / "kafka.sh"
HOME = ROOT / ".build" / "kafka"

# Of the test with kills: REASON_KAFKA_EVENTS=100000 for a longer one
EVENTS = int(os.environ.get("REASON_KAFKA_EVENTS", "6000"))


class Broker:
    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        self.process = None
        subprocess.run([SCRIPT, "jars", HOME], check=True, timeout=300)
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen([SCRIPT, "run", HOME, self.directory, str(self.port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            try:
                AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=2)
                return True
            except confluent_kafka.KafkaException:
                return False
        wait_for(answers, 60, "the broker's start")

    def kill(self):
        self.process.kill()
        self.process.wait(10)

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


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    running = Broker(tmp_path_factory.mktemp("kafka"))
    yield running
    running.kill()


@pytest.fixture
def topic(request, broker):
    return "audit-" + re.sub(r"[^a-z0-9]", "-", request.node.name)[:60] + str(time.monotonic_ns())


@pytest.fixture
def emitting(settings, broker, topic):
    return {**settings, "kafka": {"brokers": broker.address, "topic": topic, "timeout_ms": 5000}}


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


def test_every_event_arrives_in_order_as_canonical_json(database, sidecars, emitting, broker, topic):
    broker.make_topic(topic)
    one = sidecars(emitting).start()
    database.nodes(700)
    database.nodes(300, "other")
    database.settled()
    wait_for(lambda: emitted(database, topic), 30, "emitting")
    messages = broker.messages(topic)
    assert without_repeats(messages) == heads(database)
    assert len(messages) == sum(heads(database).values())
    event = json.loads(next(value for key, value in messages if key == "other"))
    assert set(event) == {"id", "eventType", "payload", "content", "prevHash", "hash", "signature", "signerId", "ts", "division", "seq", "metadata"}
    assert event["content"]["payload"] == {"n": 1}
    for _, value in messages[:20]:
        assert value == database.value("SELECT reason.canonical_json(%s::json)", value)
    assert one.metric("reason_sidecar_events_emitted_total") == len(messages)


def test_a_missing_topic_holds_up_nothing_else_and_is_used_once_it_exists(database, sidecars, emitting, broker, topic):
    one = sidecars(emitting)
    answer = one.check()
    assert answer.returncode == 1
    assert "kafka failed" in answer.stdout
    one.start()
    snapshot = database.snapshot(database.node())
    database.completed(snapshot)
    database.settled()
    wait_for(lambda: one.metric('reason_sidecar_failures_total{kind="emit"}') > 0, 20)
    broker.make_topic(topic)
    wait_for(lambda: emitted(database, topic), 40, "emitting")
    assert without_repeats(broker.messages(topic)) == heads(database)


def test_an_event_larger_than_the_limit_is_parked_and_its_chain_goes_on(database, sidecars, emitting, broker, topic):
    broker.make_topic(topic)
    emitting["kafka"]["message.max.bytes"] = 20000
    sidecars(emitting).start()
    database.node("small")
    database.node("x" * 50000)
    database.node("small again")
    database.settled()
    wait_for(lambda: emitted(database, topic), 20, "emitting")
    parked = database.rows("SELECT division, seq, reason FROM reason.emission_parked")
    assert len(parked) == 1 and parked[0][0] == "default"
    assert len(broker.messages(topic)) == sum(heads(database).values()) - 1


def test_kills_of_sidecar_and_broker_lose_and_reorder_nothing(database, sidecars, emitting, broker, topic):
    random.seed(1)
    broker.make_topic(topic)
    one = sidecars(emitting)
    turns = max(12, EVENTS // 2500)
    for turn in range(turns):
        one.start(ready=False)
        database.nodes(EVENTS // turns * 4 // 5)
        database.nodes(EVENTS // turns // 5, "other")
        time.sleep(random.uniform(0.1, 0.8))
        if turn % 12 == 5:
            broker.kill()
            time.sleep(1)
            broker.start()
        one.kill()
    one.start(ready=False)
    database.settled(60 + EVENTS // 500)
    wait_for(lambda: emitted(database, topic), 60 + EVENTS // 500, "emitting")
    assert without_repeats(broker.messages(topic)) == heads(database)
    assert sum(heads(database).values()) >= EVENTS


@pytest.mark.parametrize("hang_up", [True, False])
def test_a_password_in_a_file_is_read_again(database, sidecars, emitting, broker, topic, tmp_path, hang_up):
    """After SIGHUP at once; without it, once the brokers have not taken a batch."""
    broker.make_topic(topic)
    password = tmp_path / "kafka-password"
    password.write_text("mistyped-4711\n")
    one = sidecars({**emitting, "kafka": {**emitting["kafka"], "brokers": f"127.0.0.1:{broker.port + 2}", "timeout_ms": 60000 if hang_up else 5000,
                                          "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "sidecar",
                                          "sasl.password.file": password}}).start()
    database.nodes(5)
    wait_for(lambda: "Authentication failed" in one.log(), 20)
    assert not emitted(database, topic)
    password.write_text("kafka-password\n")
    if hang_up:
        one.signal(signal.SIGHUP)
    wait_for(lambda: emitted(database, topic), 40, "emission")
    assert "mistyped-4711" not in one.log() and "kafka-password\n" not in one.log()


def test_an_emitted_event_is_a_span_of_the_request_that_caused_it(database, sidecars, emitting, broker, topic):
    broker.make_topic(topic)
    taker = Receiver()
    one = sidecars({**emitting, "tracing": {"endpoint": taker.endpoint}}).start()
    database.value("SELECT reason.set_client('tracer', 'writer')")
    trace_id = secrets.token_hex(16)
    database.nodes(3)
    before = time.time_ns()
    traced_request(database, "http_post_node", f"00-{trace_id}-b7ad6b7169203331-01", {"type": "observation", "payload": {}, "author": "tester"})
    database.nodes(3)
    emit, = wait_for(lambda: [span for span in taker.spans() if span["name"] == "emit"], 20, "the span")
    assert (emit["traceId"], emit["parentSpanId"], emit["kind"]) == (trace_id, "b7ad6b7169203331", 4)
    assert before < int(emit["startTimeUnixNano"]) < int(emit["endTimeUnixNano"]) < time.time_ns()
    attributes = {attribute["key"]: attribute["value"] for attribute in emit["attributes"]}
    assert attributes["messaging.destination.name"] == {"stringValue": topic}
    value = next(json.loads(value) for _, value in broker.messages(topic) if trace_id in value)
    assert attributes["reason.event.seq"] == {"intValue": str(value["seq"])}
    one.stop()
    taker.stop()
