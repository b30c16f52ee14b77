"""Metrics: those that the documentation and the alerts name are there, and say what is so."""

import math
import os
import pathlib
import re
import ssl
import subprocess

import psycopg

from paths import ROOT
from wait import wait_for

STAGES = ("seal", "sign", "upload", "emit", "archive", "mirror", "checkpoint")


def names(text):
    return set(re.findall(r"^(reason_sidecar_\w+)", text, re.MULTILINE))


def documented():
    """Names in the table of the documentation, with what "…_x" stands for."""
    table = (ROOT / "docs/for-operators/sidecar.md").read_text().split("## Metrics")[1].split("Alert on")[0]
    found = set()
    for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE)[1:]:
        for name in re.findall(r"`([^`]+)`", row):
            name = re.sub(r"\{.*", "", name)
            prefix = "reason_sidecar_snapshots" if "snapshots_" in row else "reason_sidecar_events"
            found.add(name.replace("…", prefix, 1))
    return found


def test_every_metric_is_documented_and_every_documented_one_is_there(database, sidecar):
    database.completed(database.snapshot(database.node()))
    there = {re.sub(r"_(bucket|sum|count)$", "", name) if "_seconds_" in name else name for name in names(sidecar.get("/metrics")[1])}
    assert there == documented()


def test_what_alerts_ask_for_is_there(sidecar):
    there = sidecar.get("/metrics")[1]
    alerts = (ROOT / "charts" / "reasoning-graph" / "files" / "alerts.yaml").read_text()
    asked = re.findall(r"(reason_sidecar_\w+)(\{.*?\})?", alerts)
    assert len(asked) >= 5
    for name, labels in asked:
        label, _, values = labels.strip("{}").partition("=")
        for value in values.strip('~"').split("|") if values else [None]:
            series = re.escape(name) + r"(\{.*?\})?" if value is None else re.escape(f'{name}{{{label}="{value}"}}')
            assert re.search(f"^{series} ", there, re.MULTILINE), series


def test_each_stage_has_a_histogram_that_adds_up(database, sidecars, settings, tmp_path):
    (tmp_path / "archive").mkdir()
    one = sidecars({**settings, "archive": {"url": f"file://{tmp_path}/archive", "interval_s": 1}}).start()
    database.completed(database.snapshot(database.node()))
    wait_for(lambda: one.metric("reason_sidecar_events_archived_total") > 0, 15, "archiving")
    text = one.get("/metrics")[1]
    for stage in STAGES:
        buckets = [int(n) for n in re.findall(rf'duration_seconds_bucket{{stage="{stage}",le="[^"]+"}} (\d+)', text)]
        count = one.metric(f'reason_sidecar_stage_duration_seconds_count{{stage="{stage}"}}')
        assert len(buckets) == 13 and buckets == sorted(buckets) and buckets[-1] <= count
        assert (count > 0) == (stage not in ("emit", "mirror", "checkpoint"))


def test_traces_are_counted_by_engine_and_size(database, sidecar):
    node = database.node()

    def told(kind, nodes="100"):
        return sidecar.metric(f'reason_sidecar_database_trace_seconds_{kind}{{engine="indexes",nodes="{nodes}"}}')
    wait_for(lambda: "reason_sidecar_database_trace_seconds_count" in sidecar.get("/metrics")[1], 15, "what the database counts")
    before, larger = told("count"), told("count", "1000")
    for _ in range(7):
        database.value("SELECT count(*) FROM reason.trace(%s)", node)
    wait_for(lambda: told("count") == before + 7, 15, "the traces")
    assert told("count", "1000") == larger and 0 < told("sum") < 60
    text = sidecar.get("/metrics")[1]
    for engine in ("indexes", "cache"):
        for nodes in ("100", "1000", "10000", "100000", "[+]Inf"):
            buckets = [int(n) for n in re.findall(rf'trace_seconds_bucket{{engine="{engine}",nodes="{nodes}",le="[^"]+"}} (\d+)', text)]
            assert len(buckets) == 11 and buckets == sorted(buckets)
            assert buckets[-1] == int(re.search(rf'trace_seconds_count{{engine="{engine}",nodes="{nodes}"}} (\d+)', text)[1])


def test_what_waits_for_kafka_and_the_archive_is_told_before_anything_has_reached_them(database, sidecars, settings, tmp_path):
    (tmp_path / "archive").mkdir()
    one = sidecars({**settings, "archive": {"url": f"file://{tmp_path}/archive", "interval_s": 3600},
                    "kafka": {"brokers": "127.0.0.1:1", "topic": "away", "timeout_ms": 1000}}).start()
    database.nodes(7)
    database.settled(30)
    head = database.value("SELECT sum(head_seq + 1) FROM reason.signed_chains()")
    for duty in ("emit", "archive"):
        wait_for(lambda duty=duty: one.metric(f'reason_sidecar_queue_depth{{duty="{duty}"}}') == head, 15, duty)
        wait_for(lambda duty=duty: one.metric(f'reason_sidecar_queue_age_seconds{{duty="{duty}"}}') > 0, 15, duty)


def test_what_was_given_up_shows_until_it_is_tried_again(database, sidecars, settings):
    in_the_way = pathlib.Path(settings["store"]["url"].removeprefix("file://")) / "snapshots"
    in_the_way.touch()
    one = sidecars({**settings, "sidecar": {"snapshot_attempts": 1}}).start()
    name = 'reason_sidecar_parked{duty="snapshot"}'
    assert one.metric(name) == 0
    snapshot = database.snapshot(database.node())
    wait_for(lambda: one.metric(name) == 1, 20, "a parked snapshot")
    in_the_way.unlink()
    database.value("SELECT reason.retry_snapshot(%s)", snapshot)
    database.completed(snapshot, 20)
    wait_for(lambda: one.metric(name) == 0, 20, "nothing parked")


def test_a_database_that_is_away_shows(database, sidecar):
    wait_for(lambda: sidecar.metric("reason_sidecar_database_up") == 1, 10, "a connection")
    with psycopg.connect(database.server.conninfo("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'sidecar'", [database.name])
        wait_for(lambda: sidecar.metric("reason_sidecar_database_up") == 0, 30, "the loss to show")
        admin.execute(f'ALTER DATABASE "{database.name}" ALLOW_CONNECTIONS true')
    wait_for(lambda: sidecar.metric("reason_sidecar_database_up") == 1, 30, "a connection again")


def certificate(directory, name, days):
    """An authority in a file, and when it ends."""
    file = directory / f"{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-days", str(days),
                    "-keyout", directory / f"{name}.key", "-out", file], check=True, capture_output=True)
    end = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", file], check=True, capture_output=True, text=True).stdout.strip().partition("=")[2]
    return file, ssl.cert_time_to_seconds(end)


def test_the_first_certificate_to_expire_is_told(sidecars, settings, tmp_path):
    name = "reason_sidecar_expiry_timestamp_seconds"
    later, _ = certificate(tmp_path, "later", 20)
    soon, end = certificate(tmp_path, "soon", 3)
    bundle = tmp_path / "bundle.crt"
    bundle.write_bytes(later.read_bytes() + soon.read_bytes())
    one = sidecars({**settings, "store": {**settings["store"], "ca_file": later}, "tracing": {"ca_file": bundle}}).start()
    wait_for(lambda: one.metric(name) == end)
    # one that was replaced counts without a restart
    bundle.write_bytes(later.read_bytes())
    wait_for(lambda: one.metric(name) > end)
    other = sidecars(settings).start()
    assert math.isnan(other.metric(name))


def test_room_on_the_disk_of_a_store_is_told(sidecars, settings, tmp_path):
    one = sidecars(settings).start()
    disk = os.statvfs(tmp_path)
    assert one.metric('reason_sidecar_store_size_bytes{store="snapshots"}') == disk.f_blocks * disk.f_frsize
    # others write there meanwhile
    wait_for(lambda: abs(one.metric('reason_sidecar_store_free_bytes{store="snapshots"}') - os.statvfs(tmp_path).f_bavail * disk.f_frsize) < 2 << 30)
    assert math.isnan(one.metric('reason_sidecar_store_free_bytes{store="archive"}'))
