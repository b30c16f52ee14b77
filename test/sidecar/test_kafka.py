"""Events to a real Kafka broker: everything, in order, over deaths of either side."""

import json
import os
import random
import re
import secrets
import signal
import time

import pytest

from kafka_broker import Broker, emitted, heads, without_repeats
from otlp import Receiver, traced_request
from wait import wait_for

# Events of the test with kills: REASON_KAFKA_EVENTS=100000 for a longer one
EVENTS = int(os.environ.get("REASON_KAFKA_EVENTS", "6000"))


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


def test_a_parked_event_is_sent_in_its_place_when_it_is_asked_for_again(database, sidecars, emitting, broker, topic):
    broker.make_topic(topic)
    small = sidecars({**emitting, "kafka": {**emitting["kafka"], "message.max.bytes": 20000}}).start()
    database.node("small")
    database.node("x" * 50000)
    database.node("small again")
    database.settled()
    wait_for(lambda: emitted(database, topic), 20, "emitting")
    duty, target, division, item, reason, retry = database.rows("SELECT * FROM reason.parked")[0]
    assert (duty, target, division, item) == ("emit", topic, "default", "1") and "too large" in reason
    assert small.metric('reason_sidecar_failures_total{kind="emit_parked"}') == 1
    small.stop()
    database.connection.execute(retry)
    assert not emitted(database, topic)
    sidecars(emitting).start()
    wait_for(lambda: emitted(database, topic), 20, "emitting")
    seqs = [json.loads(value)["seq"] for key, value in broker.messages(topic) if key == "default"]
    assert seqs == [0, 2, 1, 2]
    assert database.rows("SELECT * FROM reason.parked") == []


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


def test_tls_with_a_certificate_of_ones_own(database, sidecars, emitting, broker, topic, tmp_path):
    """The broker takes nobody without one; the key's password comes from a file."""
    broker.make_topic(topic)
    password = tmp_path / "kafka-password"
    password.write_text("kafka-password\n")
    tls = {"brokers": f"127.0.0.1:{broker.port + 4}", "security.protocol": "ssl", "ssl.ca.location": broker.directory / "ca.pem"}
    assert "kafka failed" in sidecars({**emitting, "kafka": {**emitting["kafka"], **tls}}).check().stdout
    one = sidecars({**emitting, "kafka": {**emitting["kafka"], **tls, "ssl.certificate.location": broker.directory / "client.pem",
                                          "ssl.key.location": broker.directory / "client.key", "ssl.key.password.file": password}}).start()
    database.nodes(5)
    wait_for(lambda: emitted(database, topic), 20, "emitting")
    assert without_repeats(broker.messages(topic)) == heads(database)
    assert "kafka-password\n" not in one.log()


def test_an_emitted_event_is_a_span_of_the_request_that_caused_it(database, sidecars, emitting, broker, topic):
    broker.make_topic(topic)
    taker = Receiver()
    one = sidecars({**emitting, "tracing": {"endpoint": taker.url}}).start()
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
    taker.close()
