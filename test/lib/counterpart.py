"""The program that makes one call of a store or a signer: counterpart.c with the sidecar's own code."""

import pathlib
import subprocess

from paths import ROOT


def build_counterpart(directory):
    """The program that makes one call, with the sidecar's own code and sanitizers."""
    sidecar = ROOT / "sidecar"
    made = directory / "counterpart"
    packages = subprocess.run(["pkg-config", "--cflags", "--libs", "libsodium", "libcrypto", "libcurl", "jansson", "p11-kit-1", "libmicrohttpd"], check=True,
                              capture_output=True, text=True).stdout.split()
    sources = [pathlib.Path(__file__).with_suffix(".c"), *(sidecar / name for name in ("base/config.c", "base/log.c", "base/metrics.c", "base/plain_file.c", "net/http.c", "net/credentials.c", "net/sigv4.c")),
               *(sidecar / "store").glob("*.c"), *(sidecar / "signer").glob("*.c"),
               *(ROOT / "extension/core" / name for name in ("characters.c", "names.c"))]
    subprocess.run(["gcc", "-std=c11", "-g", "-D_GNU_SOURCE", "-fsanitize=address,undefined", "-I", sidecar, "-I", ROOT / "extension", "-o", made, *sources, *packages, "-ldl"],
                   check=True)
    return made
