"""The program that makes one call of a store or a signer: counterpart.c with the sidecar's own code."""

import base64
import hashlib
import pathlib
import subprocess
import tempfile

from paths import ROOT

# What the two signers sign: a hash, and a checkpoint of a log
DIGEST = b"d" * 32
CHECKPOINT = b"log.example/reason/default\n5\n" + base64.b64encode(b"r" * 32) + b"\n"


def signer_file(section, signer):
    """A configuration in which somebody else is the other signer."""
    names = {"id": "signer"} if section == "checkpoint" else {}
    text = "[database]\nconninfo = none\n[store]\nurl = none\n"
    if section == "checkpoint":
        text += "[signer]\nid = another\n"
    return text + f"[{section}]\n" + "".join(f"{names.get(name, name)} = {value}\n" for name, value in signer.items())


def build_counterpart():
    """The program that makes one call, with the sidecar's own code and sanitizers; what was built of these sources is kept."""
    sidecar, core = ROOT / "sidecar", ROOT / "extension/core"
    sources = [pathlib.Path(__file__).with_suffix(".c"), *(sidecar / name for name in ("base/config.c", "base/config_file.c", "base/log.c", "base/metrics.c", "base/plain_file.c", "base/traversals.c", "net/http.c", "net/credentials.c", "net/sigv4.c")),
               *sorted((sidecar / "store").glob("*.c")), *sorted((sidecar / "signer").glob("*.c")), *(core / name for name in ("characters.c", "names.c"))]
    headers = [*sorted(sidecar.glob("*/*.h")), *sorted(core.glob("*.h"))]
    made = ROOT / ".build/counterpart" / hashlib.sha256(b"".join(path.read_bytes() for path in (*sources, *headers, pathlib.Path(__file__)))).hexdigest()[:16]
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        packages = subprocess.run(["pkg-config", "--cflags", "--libs", "libsodium", "libcrypto", "libcurl", "jansson", "p11-kit-1", "libmicrohttpd"], check=True,
                                  capture_output=True, text=True).stdout.split()
        with tempfile.TemporaryDirectory(dir=made.parent) as directory:
            built = pathlib.Path(directory) / made.name
            subprocess.run(["gcc", "-std=c11", "-g", "-D_GNU_SOURCE", "-fsanitize=address,undefined", "-I", sidecar, "-I", ROOT / "extension", "-o", built, *sources, *packages, "-ldl"],
                           check=True)
            built.replace(made)
    return made
