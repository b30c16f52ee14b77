"""Where the programs under test lie. The environment names others, as a build with a sanitizer does."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PG_BIN = pathlib.Path(os.environ.get("REASON_PG_BIN", ROOT / ".build/pg/lib/postgresql/15/bin"))
SIDECAR = pathlib.Path(os.environ.get("REASON_SIDECAR", ROOT / "sidecar/reason-sidecar"))
APPROVE = pathlib.Path(os.environ.get("REASON_APPROVE", ROOT / "sidecar/approve/reason-approve"))
CANARY = pathlib.Path(os.environ.get("REASON_CANARY", ROOT / "sidecar/canary/reason-canary"))
IMPORT = pathlib.Path(os.environ.get("REASON_IMPORT", ROOT / "sidecar/import/reason-import"))
VERIFY = pathlib.Path(os.environ.get("REASON_VERIFY", ROOT / "sidecar/verify/reason-verify"))
GATEWAY_MODULE = pathlib.Path(os.environ.get("GATEWAY_MODULE", ROOT / "gateway/build/ngx_http_reason_module.so"))
