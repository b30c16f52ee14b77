"""Names that come from outside: in the configuration, as keys of messages, and in what is logged."""

import json
import os

import pytest

from wait import wait_for


@pytest.mark.parametrize("name", ["", "two words", "a\u202eb", "\u00e4", "-a", 'a"', "a+b", "x" * 201])
def test_an_id_that_no_signer_can_have_is_refused_at_the_start(sidecars, settings, name):
    one = sidecars({**settings, "signer": {**settings["signer"], "id": name}})
    answer = one.check()
    assert answer.returncode == 1 and "signer.id must have letters, digits" in answer.stdout + answer.stderr


def test_messages_under_keys_that_no_division_can_have_are_no_evidence(database, sidecars, settings, tmp_path):
    kafka_broker = pytest.importorskip("kafka_broker")
    (tmp_path / "kafka").mkdir()
    broker = kafka_broker.Broker(tmp_path / "kafka")
    broker.make_topic("named")
    producer = kafka_broker.confluent_kafka.Producer({"bootstrap.servers": broker.address})

    def event(division, **members):
        return json.dumps({"division": division, "seq": 7, "hash": "0" * 64, "signature": "", **members})
    for key in (None, b"", b"a..b", b"default\0", b"two words", b"\xff", b"x" * 64, b"x" * 300):
        producer.produce("named", key=key, value=event("default"))
    for value in (b"", b"[]", b"\xff", event("other"), event("gone", seq="7"), event("gone", hash=None)):
        producer.produce("named", key=b"gone", value=value)
    assert producer.flush(20) == 0
    one = sidecars({**settings, "kafka": {"brokers": broker.address, "topic": "named", "timeout_ms": 5000}}).start()
    database.nodes(3)
    database.settled()
    assert "14 messages of Kafka's topic \"named\" are no events of the division that is their key: passed over" in one.log()
    assert database.rows("SELECT since FROM reason.safe_mode WHERE since IS NOT NULL") == []
    one.stop()
    # One that could be a division's is.
    producer.produce("named", key=b"gone", value=event("gone"))
    assert producer.flush(20) == 0
    one.start(ready=False)
    wait_for(lambda: database.value("SELECT reason LIKE '%%gone%%' FROM reason.safe_mode"), 20, "safe mode")
    broker.kill()


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_objects_are_called_steers_no_terminal_that_shows_the_log(sidecars, archiving, tmp_path, form):
    name = b"A\x1b[2JB\xe2\x80\xaeC\xe2\x80\x8b\xf3\xa0\x81\x81\xc3\xa9\xff"
    (tmp_path / "archive/audit" / os.fsdecode(name)).mkdir(parents=True)
    (tmp_path / "archive/audit" / os.fsdecode(name) / "0-9.jsonl").write_text("{}")
    one = sidecars({**archiving, "sidecar": {"log_format": form}}).start()
    log = wait_for(lambda: "can have that name" in one.log() and one.log(), 20, "the warning")
    assert "A\\u001b[2JB\\u202eC\\u200b" in log
    assert not set(log) & set("\x1b\u202e\u200b\U000e0041")
    if form == "json":
        assert any("audit/A\x1b[2JB\u202eC\u200b\U000e0041\u00e9\ufffd\"" in json.loads(line)["message"] for line in log.splitlines())
    else:
        assert "\\U000e0041\u00e9\\xff" in log
