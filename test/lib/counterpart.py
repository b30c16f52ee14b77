"""The program that makes one call of a store or a signer: counterpart.c with the sidecar's own code."""

import base64
import pathlib
import subprocess

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


def build_counterpart(directory):
    """The program that makes one call, with the sidecar's own code and sanitizers."""
    sidecar = ROOT / "sidecar"
    made = directory / "counterpart"
    packages = subprocess.run(["pkg-config", "--cflags", "--libs", "libsodium", "libcrypto", "libcurl", "jansson", "p11-kit-1", "libmicrohttpd"], check=True,
                              capture_output=True, text=True).stdout.split()
    sources = [pathlib.Path(__file__).with_suffix(".c"), *(sidecar / name for name in ("base/config.c", "base/config_file.c", "base/log.c", "base/metrics.c", "base/plain_file.c", "base/traversals.c", "net/http.c", "net/credentials.c", "net/sigv4.c")),
               *(sidecar / "store").glob("*.c"), *(sidecar / "signer").glob("*.c"),
               *(ROOT / "extension/core" / name for name in ("characters.c", "names.c"))]
    subprocess.run(["gcc", "-std=c11", "-g", "-D_GNU_SOURCE", "-fsanitize=address,undefined", "-I", sidecar, "-I", ROOT / "extension", "-o", made, *sources, *packages, "-ldl"],
                   check=True)
    return made
