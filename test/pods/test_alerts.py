"""Each alert of the chart fires, goes on firing for as long as its cause lasts, and ends with it (promtool).

A case is what the metrics are while all is well, but for those that its cause changes. The cause begins after ten minutes
and lasts for three hours.
"""

import shutil
import subprocess

import pytest
import yaml

from paths import ROOT

RULES = ROOT / "charts" / "reasoning-graph" / "files" / "alerts.yaml"
# in minutes
BEFORE, CAUSE, AFTER = 10, 180, 30
ABSENT = "_"      # no sample

WELL = {
    'reason_sidecar_leading{duty="seal",pod="a"}': 1,
    'reason_sidecar_leading{duty="seal",pod="b"}': 0,
    'reason_sidecar_failures_total{kind="signer",pod="a"}': 0,
    'reason_sidecar_failures_total{kind="signature_refused",pod="a"}': 0,
    'reason_sidecar_failures_total{kind="store",pod="a"}': 0,
    'reason_sidecar_failures_total{kind="witness",pod="a"}': 0,
    'reason_sidecar_failures_total{kind="witness_contradicts",pod="a"}': 0,
    'reason_sidecar_queue_age_seconds{duty="seal",pod="a"}': 0,
    'reason_sidecar_queue_age_seconds{duty="snapshot",pod="a"}': 0,
    'reason_sidecar_queue_age_seconds{duty="emit",pod="a"}': 0,
    'reason_sidecar_queue_age_seconds{duty="archive",pod="a"}': 280,
    'reason_sidecar_queue_age_seconds{duty="mirror",pod="a"}': 0,
    'reason_sidecar_parked{duty="seal",pod="a"}': 0,
    'reason_sidecar_parked{duty="snapshot",pod="a"}': 0,
    'reason_sidecar_parked{duty="emit",pod="a"}': 0,
    'reason_sidecar_parked{duty="archive",pod="a"}': 0,
    'reason_sidecar_parked{duty="mirror",pod="a"}': 0,
    'reason_sidecar_database_up{pod="a"}': 1,
    'reason_sidecar_database_up{pod="b"}': 1,
    'reason_sidecar_safe_mode{pod="a"}': 0,
    'reason_sidecar_log_stopped{pod="a"}': 0,
    'reason_sidecar_log_stops_total{reason="cut",pod="a"}': 0,
    'reason_sidecar_log_stops_total{reason="snapshot",pod="a"}': 0,
    'reason_sidecar_store_forgotten_total{pod="a"}': 0,
    'reason_sidecar_log_events{pod="a"}': 1000,
    'reason_sidecar_published_events{pod="a"}': 1000,
    'reason_sidecar_checkpoint_timestamp_seconds{pod="a"}': "grows",
    'reason_sidecar_log_events{pod="b"}': 900,
    'reason_sidecar_published_events{pod="b"}': 800,
    'reason_sidecar_checkpoint_timestamp_seconds{pod="b"}': 0,
    'reason_sidecar_expiry_timestamp_seconds{pod="a"}': 90 * 86400,
    'reason_sidecar_store_free_bytes{store="snapshots",pod="a"}': 500,
    'reason_sidecar_store_size_bytes{store="snapshots",pod="a"}': 1000,
    'reason_sidecar_store_free_bytes{store="archive",pod="a"}': "NaN",
    'reason_sidecar_store_size_bytes{store="archive",pod="a"}': "NaN",
    'reason_gateway_expiry_timestamp_seconds{of="certificate",pod="g"}': 90 * 86400,
    'reason_gateway_expiry_timestamp_seconds{of="authority",pod="g"}': 900 * 86400,
    'reason_gateway_expiry_timestamp_seconds{of="revocation_list",pod="g"}': 7 * 86400,
    'reason_gateway_queue_depth{pod="g"}': 3,
    'reason_gateway_requests_total{route="http_get_trace",status="200",pod="g"}': "grows",
    'reason_gateway_requests_total{route="http_post_node",status="201",pod="g"}': "grows",
    'reason_gateway_requests_total{route="http_post_node",status="503",pod="g"}': 0,
    'reason_gateway_request_seconds_bucket{route="http_get_trace",le="0.200",pod="g"}': 0.99,
    'reason_gateway_request_seconds_count{route="http_get_trace",pod="g"}': "grows",
    'reason_sidecar_snapshots_stored_total{pod="a"}': "grows",
    'reason_sidecar_snapshots_failed_total{pod="a"}': 0,
    'reason_gateway_failures_total{kind="policy_unanswered",pod="g"}': 5,
    'reason_gateway_upstream_connections{upstream="reason",pod="g"}': 16,
    'reason_gateway_upstream_connections{upstream="cell_b",pod="g"}': 16,
}


def age(duty):
    return f'reason_sidecar_queue_age_seconds{{duty="{duty}",pod="a"}}'


def parked(duty):
    return f'reason_sidecar_parked{{duty="{duty}",pod="a"}}'


def failures(kind):
    return f'reason_sidecar_failures_total{{kind="{kind}",pod="a"}}'


# alert, what the cause makes of the metrics. "seldom": a counter that grows every five minutes, as what is tried again does.
CASES = (
    ("ReasonNobodySeals", {'reason_sidecar_leading{duty="seal",pod="a"}': 0}),
    ("ReasonNobodySeals", {'reason_sidecar_leading{duty="seal",pod="a"}': ABSENT, 'reason_sidecar_leading{duty="seal",pod="b"}': ABSENT}),
    ("ReasonSigningFails", {failures("signer"): "grows", age("seal"): "grows"}),
    ("ReasonSigningFails", {failures("signature_refused"): "grows", age("seal"): "grows"}),
    ("ReasonStoreFails", {failures("store"): "seldom", age("snapshot"): "grows"}),
    ("ReasonChainLags", {age("seal"): "grows"}),
    ("ReasonArchiveLags", {age("archive"): "grows"}),
    ("ReasonEmissionLags", {age("emit"): "grows"}),
    ("ReasonMirrorLags", {age("mirror"): "grows"}),
    ("ReasonChainHalted", {parked("seal"): 1}),
    ("ReasonSnapshotFailed", {parked("snapshot"): 1}),
    ("ReasonItemParked", {parked("emit"): 2}),
    ("ReasonItemParked", {parked("archive"): 1}),
    ("ReasonItemParked", {parked("mirror"): 1}),
    ("ReasonDatabaseAway", {'reason_sidecar_database_up{pod="a"}': 0}),
    ("ReasonDatabaseAway", {'reason_sidecar_database_up{pod="a"}': 0, 'reason_sidecar_database_up{pod="b"}': 0}),
    ("ReasonSafeMode", {'reason_sidecar_safe_mode{pod="a"}': 1}),
    ("ReasonLogStopped", {'reason_sidecar_log_stopped{pod="a"}': 1}),
    ("ReasonLogStopped", {'reason_sidecar_log_stops_total{reason="cut",pod="a"}': "seldom"}),
    ("ReasonLogStopped", {'reason_sidecar_log_stops_total{reason="snapshot",pod="a"}': "seldom"}),
    ("ReasonStoreForgot", {'reason_sidecar_store_forgotten_total{pod="a"}': "seldom"}),
    ("ReasonCheckpointsLag", {'reason_sidecar_published_events{pod="a"}': 500, 'reason_sidecar_checkpoint_timestamp_seconds{pod="a"}': 300}),
    ("ReasonWitnessFails", {failures("witness"): "grows"}),
    ("ReasonWitnessFails", {failures("witness_contradicts"): "seldom"}),
    ("ReasonCertificateExpires", {'reason_gateway_expiry_timestamp_seconds{of="certificate",pod="g"}': 13 * 86400}),
    ("ReasonCertificateExpires", {'reason_gateway_expiry_timestamp_seconds{of="authority",pod="g"}': 13 * 86400}),
    ("ReasonCertificateExpires", {'reason_gateway_expiry_timestamp_seconds{of="revocation_list",pod="g"}': 3600}),
    ("ReasonCertificateExpires", {'reason_sidecar_expiry_timestamp_seconds{pod="a"}': 60}),
    ("ReasonStoreFull", {'reason_sidecar_store_free_bytes{store="snapshots",pod="a"}': 99}),
    ("ReasonGatewayGone", {'reason_gateway_queue_depth{pod="g"}': ABSENT}),
    ("ReasonGatewayErrors", {'reason_gateway_requests_total{route="http_post_node",status="503",pod="g"}': "grows"}),
    ("ReasonGatewayQueue", {'reason_gateway_queue_depth{pod="g"}': 500}),
    ("ReasonCellAway", {'reason_gateway_upstream_connections{upstream="cell_b",pod="g"}': 0}),
    ("ReasonPolicyUnanswered", {'reason_gateway_failures_total{kind="policy_unanswered",pod="g"}': "grows"}),
)


FAST, SLOW = "critical", "warning"
TRACES, FAILED_WRITES, FAILED_SNAPSHOTS = ('reason_gateway_request_seconds_bucket{route="http_get_trace",le="0.200",pod="g"}',
                                           'reason_gateway_requests_total{route="http_post_node",status="503",pod="g"}', 'reason_sidecar_snapshots_failed_total{pod="a"}')
# Alerts of objectives: what the cause makes of the metrics, and which severities it reaches.
OBJECTIVES = (
    # of 5 % that may be slow: all, two fifths, and what is within the objective
    ("ReasonTracesSlow", {TRACES: 0.0}, (FAST, SLOW)),
    ("ReasonTracesSlow", {TRACES: 0.6}, (SLOW,)),
    ("ReasonTracesSlow", {TRACES: 0.96}, ()),
    # of 0.1 % that may fail
    ("ReasonWritesFail", {FAILED_WRITES: 0.5}, (FAST, SLOW)),
    ("ReasonWritesFail", {FAILED_WRITES: 0.01}, (SLOW,)),
    ("ReasonWritesFail", {FAILED_WRITES: 0.0008}, ()),
    # of 1 % that may be given up
    ("ReasonSnapshotsFail", {FAILED_SNAPSHOTS: 1.0}, (FAST, SLOW)),
    ("ReasonSnapshotsFail", {FAILED_SNAPSHOTS: 0.08}, (SLOW,)),
    ("ReasonSnapshotsFail", {FAILED_SNAPSHOTS: 0.008}, ()),
)


def series(name, cause, spans=(BEFORE, CAUSE, AFTER)):
    """Values in promtool's notation, over all three spans."""
    before, lasts, after = spans
    well, counts = WELL[name], "_total" in name or "_seconds_bucket" in name or "_seconds_count" in name
    cause = cause.get(name, well)
    points, now = [], 0
    for step in range(before + lasts + after):
        state = cause if before <= step < before + lasts else well
        if state == "grows":
            now += 60
        elif counts and isinstance(state, float):
            # so much of what grows otherwise
            now += 60 * state
        elif state == "seldom":
            now += 1 if step % 5 == 0 else 0
        elif not counts:
            now = state
        points.append(str(now))
    return {"series": name, "values": " ".join(points)}


@pytest.fixture
def promtool(tmp_path):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")

    def test(cause, expected, spans=(BEFORE, CAUSE, AFTER), names=tuple(WELL), every="1m"):
        """expected: (minute, expression, value)"""
        file = tmp_path / "test.yaml"
        file.write_text(yaml.safe_dump({
            "rule_files": [str(RULES)], "evaluation_interval": every,
            "tests": [{"interval": "1m", "input_series": [series(name, cause, spans) for name in names],
                       "promql_expr_test": [{"expr": expression, "eval_time": f"{step}m", "exp_samples": [{"labels": "{}", "value": value}]}
                                            for step, expression, value in expected]}]}))
        done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return test


def firing(alert=""):
    return f'(count(ALERTS{{alertstate="firing"{alert and f",alertname={chr(34)}{alert}{chr(34)}"}}}) > bool 0) or vector(0)'


def test_nothing_fires_while_all_is_well(promtool):
    promtool({}, [(step, firing(), 0) for step in range(0, BEFORE + CAUSE + AFTER, 5)])


def test_a_failure_that_passes_fires_nothing(promtool):
    promtool({failures("store"): "seldom", failures("signer"): "seldom"}, [(step, firing(), 0) for step in range(0, BEFORE + CAUSE + AFTER, 5)])


@pytest.mark.parametrize("alert, cause", CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_an_alert_lasts_as_long_as_its_cause(promtool, alert, cause):
    longest = 40        # half an hour is what the archive is given
    end = BEFORE + CAUSE
    promtool(cause, [(BEFORE - 1, firing(alert), 0), *((step, firing(alert), 1) for step in range(BEFORE + longest, end, 7)),
                     (end - 1, firing(alert), 1), (end + 15, firing(alert), 0), (end + AFTER - 1, firing(alert), 0)])


@pytest.mark.parametrize("alert, cause, severities", OBJECTIVES)
def test_an_objective_that_will_be_missed_fires_while_it_is_being_missed(promtool, alert, cause, severities):
    """Eight hours after eight that were well. The short windows end it: five minutes, or thirty."""
    spans = before, lasts, after = 480, 480, 60
    end = before + lasts

    def of(severity):
        return f'(count(ALERTS{{alertstate="firing",alertname="{alert}",severity="{severity}"}}) > bool 0) or vector(0)'
    # Evaluated every five minutes, for that is a fifth of the work.
    promtool(cause, [(step, of(severity), int(severity in severities)) for severity in (FAST, SLOW) for step in (before + 400, end - 60, end - 5)]
             + [(before - 5, firing(alert), 0), (end + 15, of(FAST), 0), (end + 45, of(SLOW), 0), (end + after - 5, firing(alert), 0)],
             spans, [name for name in WELL if "requests_total" in name or "_seconds_" in name or "snapshots_" in name], "5m")


def test_an_objective_is_missed_soon_where_nothing_works(promtool):
    """Within a quarter of an hour when all writes fail."""
    promtool({FAILED_WRITES: "grows"}, [(BEFORE + 15, firing("ReasonWritesFail"), 1)])


def test_each_alert_has_its_case_and_its_runbook():
    names = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    assert names == {alert for alert, _ in CASES} | {alert for alert, _, _ in OBJECTIVES}
    for name in names:
        text = (ROOT / "docs/for-operators/runbooks" / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n") and "**Look.**" in text and "**Do.**" in text
    assert names == {path.stem for path in (ROOT / "docs/for-operators/runbooks").glob("*.md")}
