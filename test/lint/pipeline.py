#!/usr/bin/env python3
"""The pipeline has the jobs that a release needs, and each of their steps is a target of the Makefile, or an action that brings
or keeps files."""
import re
import sys

import yaml

from tree import report, text_of, tracked

# What must be done, by the targets that do it.
NEEDED = {"lint", "unit", "integration", "deb", "images", "sbom", "scan", "acceptance", "check-canary"}
ACTIONS = re.compile(r"actions/(checkout|upload-artifact)@v\d+")


def targets():
    return set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))


def check(known):
    """What is wrong, a line each."""
    done = set()
    for path in tracked(".github/workflows/*.yml"):
        for name, job in yaml.safe_load(text_of(path))["jobs"].items():
            for step in job["steps"]:
                said = step.get("run", "").strip()
                if "uses" in step and ACTIONS.fullmatch(step["uses"]) and not said:
                    continue
                match = re.fullmatch(r"make ([a-z-]+)", said)
                if not match:
                    yield f"{path}: a step of {name} is neither make TARGET nor a known action: {said or step.get('uses')}"
                elif match[1] not in known:
                    yield f"{path}: job {name}: the Makefile has no target {match[1]}"
                else:
                    done.add(match[1])
    for target in sorted(NEEDED - done):
        yield f".github/workflows: no step is make {target}"


if __name__ == "__main__":
    sys.exit(report(check(targets())))
