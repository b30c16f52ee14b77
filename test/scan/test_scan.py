"""make scan finds what it looks for, and says nothing of what is right."""

import importlib.util
import json
import subprocess

import pytest

from paths import ROOT

_program = importlib.util.spec_from_file_location("scan", ROOT / "charts/scan.py")
scan = importlib.util.module_from_spec(_program)
_program.loader.exec_module(scan)

SOURCE = '#include <stdio.h>\n#include <string.h>\nint main(int argc, char **argv) { char text[64]; snprintf(text, sizeof(text), "%s", argv[0]); printf("%s %d", text, argc); return (int)strlen(text); }\n'
GOOD = ("-O2", "-fPIE", "-pie", "-fstack-protector-all", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack")


def built(directory, *flags):
    (directory / "program.c").write_text(SOURCE)
    subprocess.run(["gcc", *flags, "-o", directory / "program", directory / "program.c"], check=True)
    return list(scan.missing_hardening(directory / "program"))


def test_a_hardened_program_lacks_nothing(tmp_path):
    assert built(tmp_path, *GOOD) == []


@pytest.mark.parametrize("flags, lack", (
    (("-fno-pie", "-no-pie"), "position-independent"), (("-Wl,-z,norelro",), "no RELRO"), (("-Wl,-z,lazy",), "lazily"),
    (("-Wl,-z,execstack",), "may be executed"), (("-Wl,-rpath,/tmp",), "path of its own"), (("-fno-stack-protector",), "stack protector"),
    (("-U_FORTIFY_SOURCE",), "snprintf without _FORTIFY_SOURCE")))
def test_what_a_program_lacks_is_named(tmp_path, flags, lack):
    assert [found for found in built(tmp_path, *GOOD, *flags) if lack in found]


def test_everything_that_was_built_is_hardened():
    assert list(scan.hardening()) == []
    assert list(scan.hardening(["sidecar/nothing"])) == ["sidecar/nothing was not built"]


# Put together here, or this file would be found.
SECRETS = {"private key": "-----BEGIN " + "PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2VwBCIEI" * 3 + "\n", "AWS": "AKI" + "A" + "Z" * 16, "GitHub": "ghp" + "_" + "a1" * 18,
           "Slack": "xoxb" + "-1234567890-abcdefghijkl", "npm": "npm" + "_" + "b2" * 18, "Vault": "hvs" + "." + "c3" * 15, "JWT": "eyJ" + "hbGciOiJIUzI1" + ".eyJ" + "zdWIiOiIxMjM0" + "." + "d4" * 15}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_where_it_stands(kind):
    found, = scan.secrets_in("file", f"one\ntwo {SECRETS[kind]}")
    assert found.startswith("file:2: ") and kind in found
    assert not list(scan.secrets_in("file", SECRETS[kind][:12]))


def test_no_secret_stands_in_the_sources():
    assert list(scan.secrets()) == []


def test_what_npm_knows_of_is_told_and_a_registry_that_does_not_answer_is_passed_over():
    assert list(scan.npm('{"vulnerabilities": {}}')) == []
    assert list(scan.npm('{"vulnerabilities": {"left": {"severity": "high", "range": "<2"}}}')) == ["gateway/ui: left <2: high"]
    for said in ("", '{"message": "405", "error": {}}'):
        with pytest.raises(scan.PassedOver):
            list(scan.npm(said))


def test_a_package_older_than_what_debian_serves_is_told(tmp_path):
    def package(name, version, spdx="SPDXRef-x"):
        return {"name": name, "versionInfo": version, "SPDXID": spdx, "primaryPackagePurpose": "LIBRARY"}
    contents = {"name": "sidecar", "packages": [package("libc6", "2.36-9"), package("zlib1g", "1:1.2.13"), package("new", "2"), package("strange", "1"), package("npm", "1", "SPDXRef-npm-x")]}
    served = {"libc6": "2.36-9+deb12u1", "zlib1g": "1:1.2.13", "new": "1", "npm": "2"}
    assert list(scan.old_packages(contents, served)) == ["image sidecar: libc6 2.36-9 is older than Debian's 2.36-9+deb12u1: make images"]
    with pytest.raises(scan.PassedOver, match="make images"):
        list(scan.images(tmp_path))
    (tmp_path / "sidecar.spdx.json").write_text(json.dumps({"name": "sidecar", "packages": [package("dpkg", "0.1")]}))
    found = list(scan.images(tmp_path))
    assert len(found) == 1 and "dpkg 0.1 is older" in found[0], found
