"""What a test measured, for the report of make drill: printed, and kept where REASON_MEASURES says."""

import json
import os
import pathlib


def measured(name, value, unit):
    print(f"{name}: {value} {unit}")
    if "REASON_MEASURES" in os.environ:
        with open(pathlib.Path(os.environ["REASON_MEASURES"]), "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "value": value, "unit": unit}) + "\n")
