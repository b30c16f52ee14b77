"""The images of `make images`: what is in them, that it is said, and that they are made alike twice.

Their pods are test/pods' with REASON_POD_BASE=oci; here PostgreSQL's is run.
"""

import json
import os
import subprocess

import pytest

from image import BuiltImage, run
from paths import ROOT

IMAGES = ROOT / ".build" / "images"
NAMES = ("gateway", "sidecar", "postgres")


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    made = {}

    def one(name):
        if name not in made:
            scratch = tmp_path_factory.mktemp(name)
            os.chmod(scratch.parent, 0o755)
            os.chmod(scratch, 0o755)
            made[name] = BuiltImage(name, scratch)
        return made[name]
    return one


def contents(name):
    return json.loads((IMAGES / f"{name}.spdx.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_contents_is_spdx(name):
    run(IMAGES / "tools/bin/pyspdxtools", "--infile", IMAGES / f"{name}.spdx.json")


@pytest.mark.parametrize("name", NAMES)
def test_each_package_of_debian_stands_in_the_list(name, unpacked):
    listed = {(package["name"], package["versionInfo"]) for package in contents(name)["packages"] if package["primaryPackagePurpose"] == "LIBRARY"
              and not package["SPDXID"].startswith("SPDXRef-npm-")}
    installed = run("dpkg-query", f"--admindir={unpacked(name).root}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\n").split("\n")
    assert listed == {tuple(line.split(" ")) for line in installed if line}
    assert any(package == "libc6" for package, _ in listed)


def test_the_list_has_what_the_explorer_is_made_of(unpacked):
    assert (unpacked("gateway").root / "usr/share/reasoning-graph/ui/index.html").exists(), "the image has no explorer: make -C gateway ui"
    names = {package["name"] for package in contents("gateway")["packages"] if package["SPDXID"].startswith("SPDXRef-npm-")}
    assert set(json.loads((ROOT / "gateway/ui/package.json").read_text())["dependencies"]) <= names
    assert "typescript" not in names


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_build_is_left(name, unpacked):
    root = unpacked(name).root
    for left in ("src", "out", "usr/bin/gcc", "usr/bin/make", "var/log/dpkg.log"):
        assert not (root / left).exists(), left
    assert not list((root / "var/lib/apt/lists").glob("*_Packages*"))


def test_programs_that_operators_call_are_there(unpacked):
    for name, programs in (("sidecar", ("reason-sidecar", "reason-verify", "reason-approve", "reason-canary", "reason-import", "reason-rebuild", "reason-migrate", "reason-reload", "psql")),
                           ("gateway", ("nginx", "reason-reload"))):
        for program in programs:
            found = run("chroot", unpacked(name).root, "sh", "-c", f"command -v {program}")
            assert found.strip(), program
    assert "reason-verify" in run("chroot", unpacked("sidecar").root, "reason-verify", "--version")
    modules = [module for module in ("softhsm/libsofthsm2.so", "x86_64-linux-gnu/opensc-pkcs11.so", "x86_64-linux-gnu/pkcs11/p11-kit-client.so")
               if (unpacked("sidecar").root / "usr/lib" / module).exists()]
    assert len(modules) == 3, modules


def test_the_same_sources_give_the_same_images():
    before = {name: (IMAGES / name / "index.json").read_text() for name in NAMES}
    lists = {name: (IMAGES / f"{name}.spdx.json").read_text() for name in NAMES}
    run(ROOT / "charts/images/build.sh", timeout=3600)
    assert {name: (IMAGES / name / "index.json").read_text() for name in NAMES} == before
    assert {name: (IMAGES / f"{name}.spdx.json").read_text() for name in NAMES} == lists


STARTED = """set -e
PATH=$PATH:/usr/lib/postgresql/15/bin
initdb -D /data/pg -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
pg_ctl -D /data/pg -w -l /data/log -o "-c shared_preload_libraries=reasoning_graph -c listen_addresses= -k /data" start >/dev/null
psql -X -A -t -v ON_ERROR_STOP=1 -h /data -d postgres -f /check/check.sql
pg_ctl -D /data/pg -m fast stop >/dev/null
"""
CHECKED = """CREATE EXTENSION reasoning_graph;
SELECT reason.add_node('observation', '{"a": 1}', 'sensor') AS id \\gset
SELECT nodes FROM reason.trace_size(:'id');
SHOW reason.adjacency_cache_size;
"""


def test_postgresql_has_the_extension(unpacked, tmp_path):
    """In a container, by a user who is not root, with a root that is read only: a cluster of its own in an empty volume."""
    made = unpacked("postgres")
    os.chmod(tmp_path, 0o755)
    (tmp_path / "check.sh").write_text(STARTED)
    (tmp_path / "check.sql").write_text(CHECKED)
    settings = json.loads((made.bundle / "config.json").read_text())
    assert settings["process"]["user"]["uid"] != 0
    settings["process"].update(terminal=False, args=["sh", "/check/check.sh"])
    settings["root"]["readonly"] = True
    settings["mounts"] += [{"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777", "size=512m"]} for path in ("/data", "/tmp")]
    settings["mounts"].append({"destination": "/check", "type": "bind", "source": str(tmp_path), "options": ["bind", "ro"]})
    settings["linux"].pop("resources", None)
    (made.bundle / "config.json").write_text(json.dumps(settings))
    # crun wants the unified hierarchy of control groups, which no limit here makes use of
    container = f"mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec crun --cgroup-manager=disabled run --bundle {made.bundle} reason-images-{os.getpid()}"
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", container],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    extension, nodes, cache, _ = done.stdout.split("\n")
    assert (extension, nodes) == ("CREATE EXTENSION", "1") and cache.endswith("MB"), done.stdout
