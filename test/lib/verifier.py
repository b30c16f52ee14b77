"""reason-verify on what a database has stored."""

import json
import os
import subprocess

from paths import VERIFY


def verify(database, tmp_path, *uris):
    registry = tmp_path / "signers.json"
    registry.write_text(json.dumps(database.value("SELECT reason.signer_registry()")))
    return subprocess.run([VERIFY, *[uri.removeprefix("file://") for uri in uris]], env={**os.environ, "REASON_SIGNERS": str(registry)},
                          capture_output=True, text=True, check=False)
