#!/usr/bin/python3
"""make scan: what a release must not ship: programs without hardening, secrets in the sources, npm packages with known faults, images
whose Debian packages are older than what Debian serves. What cannot be looked at here is named as passed over."""

import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAMS = ("sidecar/reason-sidecar", "sidecar/verify/reason-verify", "sidecar/approve/reason-approve", "sidecar/canary/reason-canary", "sidecar/import/reason-import",
            "gateway/build/ngx_http_reason_module.so", "extension/reasoning_graph.so")


class PassedOver(Exception):
    """It cannot be looked at here."""


def output(*command, timeout=300, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, check=True, **options).stdout


# ---------------------------------------------------------------- hardening

def missing_hardening(program):
    """What an ELF file lacks."""
    header, segments, dynamic = output("readelf", "-hW", program), output("readelf", "-lW", program), output("readelf", "-dW", program)
    symbols = output("readelf", "--dyn-syms", "-W", program)
    if not re.search(r"Type:\s+DYN", header):
        yield "it is not position-independent"
    if "GNU_RELRO" not in segments:
        yield "no RELRO"
    if not re.search(r"\(FLAGS(_1)?\).*\b(BIND_NOW|NOW)\b|\(BIND_NOW\)", dynamic):
        yield "symbols are bound lazily (no -z now)"
    if not re.search(r"GNU_STACK.*\bRW\b", segments) or re.search(r"GNU_STACK.*\bRWE\b", segments):
        yield "the stack may be executed"
    if "TEXTREL" in dynamic:
        yield "its code is relocated"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        yield "it looks for libraries in a path of its own"
    if "__stack_chk_fail" not in symbols:
        yield "no stack protector"
    # Each program that prints has some call that is replaced; which others are, depends on what the compiler knows of their buffers.
    loose = sorted(set(re.findall(r"\bUND (v?(?:s|sn|f|as|d)?printf)\b", symbols)))
    if loose and not re.search(r"\bUND __\w*printf_chk\b", symbols):
        yield f"{', '.join(loose)} without _FORTIFY_SOURCE"


def hardening(programs=PROGRAMS):
    if not shutil.which("readelf"):
        raise PassedOver("there is no readelf")
    for name in programs:
        program = ROOT / name
        if not program.exists():
            yield f"{name} was not built"
            continue
        yield from (f"{name}: {lack}" for lack in missing_hardening(program))


# ---------------------------------------------------------------- secrets

# Written so that this file is none of them.
SECRETS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE" r" KEY-----\s*\n[A-Za-z0-9+/=\s]{40,}"),
    "an access key of AWS": re.compile(r"\b(?:AKIA|ASIA)" r"(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b"),
    "a token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b"),
    "a token of Slack": re.compile(r"\bxox[abpors]-[A-Za-z0-9-]{20,}"),
    "a token of npm": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "a token of Vault": re.compile(r"\bhv[sb]\.[A-Za-z0-9_-]{24,}"),
    "a token with claims (JWT)": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
}


def secrets_in(name, text):
    for kind, pattern in SECRETS.items():
        for match in pattern.finditer(text):
            yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: looks like {kind}"


def secrets():
    for name in output("git", "-C", ROOT, "ls-files", "-z").split("\0"):
        path = ROOT / name
        if name and path.is_file():
            yield from secrets_in(name, path.read_text(encoding="utf-8", errors="replace"))


# ---------------------------------------------------------------- npm

def npm(said=None):
    """Of what is shipped, not of what builds it. said: what npm audit --json printed."""
    if said is None:
        if not shutil.which("npm"):
            raise PassedOver("there is no npm")
        # its status says that there are faults, too
        said = subprocess.run(["npm", "audit", "--json", "--omit=dev"], cwd=ROOT / "gateway/ui", capture_output=True, text=True, timeout=300, check=False).stdout
    try:
        report = json.loads(said)
    except ValueError:
        raise PassedOver("npm audit says nothing") from None
    if "vulnerabilities" not in report:
        raise PassedOver(f"the registry does not answer: {str(report.get('message') or report.get('error'))[:200]}")
    for name, fault in sorted(report["vulnerabilities"].items()):
        yield f"gateway/ui: {name} {fault.get('range', '')}: {fault.get('severity')}"


# ---------------------------------------------------------------- images

def candidates(packages):
    """package → the version that Debian serves now."""
    said = output("apt-cache", "policy", *packages)
    found = {}
    for block in re.split(r"\n(?=\S)", said):
        match = re.match(r"(\S+):\n.*?Candidate: (\S+)", block, re.DOTALL)
        if match and match[2] != "(none)":
            found[match[1].split(":")[0]] = match[2]
    return found


def is_newer(version, than):
    return subprocess.run(["dpkg", "--compare-versions", version, "gt", than], check=False).returncode == 0


def old_packages(contents, served):
    """contents: an image's SPDX; served: package → version."""
    image = contents["name"]
    for package in contents["packages"]:
        name, version = package["name"], package.get("versionInfo", "")
        if package.get("primaryPackagePurpose") == "LIBRARY" and not package["SPDXID"].startswith("SPDXRef-npm-") and name in served and is_newer(served[name], version):
            yield f"image {image}: {name} {version} is older than Debian's {served[name]}: make images"


def images(folder=ROOT / ".build/images"):
    lists = [json.loads(path.read_text()) for path in sorted(folder.glob("*.spdx.json"))]
    if not lists:
        raise PassedOver("no image was built: make images")
    if not shutil.which("apt-cache"):
        raise PassedOver("there is no apt")
    served = candidates(sorted({package["name"] for contents in lists for package in contents["packages"]}))
    if not served:
        raise PassedOver("apt has no lists: apt-get update")
    for contents in lists:
        yield from old_packages(contents, served)


LOOKS = {"hardening": hardening, "secrets": secrets, "npm": npm, "images": images}


def main():
    counts = collections.Counter()
    for name, look in LOOKS.items():
        try:
            for finding in look():
                counts[name] += 1
                print(f"{name}: {finding}")
        except PassedOver as why:
            print(f"{name}: passed over: {why}")
            continue
        if not counts[name]:
            print(f"{name}: nothing found")
    print(f"{sum(counts.values())} findings")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
