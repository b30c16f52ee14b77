"""A real Prometheus that scrapes a stack every second, and the chart's rules in a world in which time passes faster: Prometheus, hastened()."""

import json
import re
import urllib.parse
import urllib.request

import yaml

from paths import ROOT
from ports import free_port
from program import Program

RULES = ROOT / "charts" / "reasoning-graph" / "files" / "alerts.yaml"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Ages that alerts compare with bounds are in seconds: these metrics are, or are made of them.
AGES = ("reason_sidecar_queue_age_seconds", "reason_sidecar_checkpoint_timestamp_seconds")


def shortened(number, unit, times):
    """A duration of Prometheus'."""
    return f"{int(number) * UNITS[unit] * 1000 // times}ms"


def hastened(times, rules=None):
    """The rules where time passes so many times as fast: `for`, windows of series, and bounds of ages are so much shorter. Nothing else is another.

    An age that is compared with less than ten seconds says that something waits at all, and stays.
    """
    rules = yaml.safe_load(RULES.read_text()) if rules is None else rules
    groups = []
    for group in rules["groups"]:
        made = []
        for rule in group["rules"]:
            expression = re.sub(r"\[(\d+)([smhd])\]", lambda match: f"[{shortened(*match.groups(), times)}]", rule["expr"])
            if any(age in expression for age in AGES):
                expression = re.sub(r"> (\d{2,})\b", lambda match: f"> {int(match[1]) / times:g}", expression)
            waits = {"for": re.sub(r"^(\d+)([smhd])$", lambda match: shortened(*match.groups(), times), rule["for"])} if "for" in rule else {}
            made.append({**rule, **waits, "expr": expression, "labels": {**rule["labels"], "times": str(times)}})
        groups.append({**group, "name": f"{group['name']}-{times}", "rules": made})
    return {"groups": groups}


class Prometheus(Program):
    """jobs: for each its address and the labels of its series; rules: files of rules as they are loaded."""

    def __init__(self, directory, jobs, rules):
        super().__init__(directory / "prometheus.log")
        self.port = free_port()
        for number, one in enumerate(rules):
            (directory / f"rules-{number}.yaml").write_text(yaml.safe_dump(one))
        (directory / "prometheus.yaml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules-*.yaml"],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [address], "labels": labels}]} for job, (address, labels) in jobs.items()]}))
        self.launch("prometheus", f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn")
        self.wait_until(lambda: self.ask("/-/ready") is not None, 30)

    def ask(self, path, **parameters):
        address = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.read()

    def data(self, path, **parameters):
        said = json.loads(self.ask(f"/api/v1/{path}", **parameters))
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression):
        """(labels, value) of each series that an expression gives now."""
        return [(one["metric"], float(one["value"][1])) for one in self.data("query", query=expression)["result"]]

    def rules(self):
        return [rule for group in self.data("rules")["groups"] for rule in group["rules"]]

    def firing(self, times):
        """Names of alerts that fire, of the rules that are hastened so much."""
        return {alert["labels"]["alertname"] for alert in self.data("alerts")["alerts"]
                if alert["state"] == "firing" and alert["labels"]["times"] == str(times)}
