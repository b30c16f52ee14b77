"""Container images as charts/images' Dockerfiles say, made without a container engine.

What a build stage installs into /out is installed by the same make into a directory; it is laid over a base, in which the
last stage's RUN lines run (but for those of apt-get). The base is this machine's own root, which has the packages that
make check installs. With REASON_POD_BASE=debian it is a Debian with no more than the packages that the last stage names,
made by mmdebstrap and kept in .build/images: what an image forgets is missing there. With REASON_POD_BASE=oci it is the image
that `make images` has built, unpacked: nothing of this machine is in it.
"""

import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess

from paths import ROOT


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=options.pop("timeout", 300), **options)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}"
    return done.stdout


def overlay(mountpoint, lower, scratch):
    """Mounts the directories of lower, the uppermost first, with room of their own for what changes."""
    for name in ("upper", "work"):
        (scratch / name).mkdir(parents=True)
    mountpoint.mkdir(exist_ok=True)
    layers = ":".join(map(str, lower))
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layers},upperdir={scratch / 'upper'},workdir={scratch / 'work'}", mountpoint)
    return scratch / "upper"


def instructions_of(dockerfile):
    """(instruction, rest) of a Dockerfile, and where its last stage begins."""
    text = re.sub(r"\\\n", " ", (ROOT / "charts" / "images" / dockerfile).read_text())
    instructions = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return instructions, max(number for number, (word, _) in enumerate(instructions) if word == "FROM")


def packages_of(dockerfile):
    instructions, last = instructions_of(dockerfile)
    found = [re.search(r"apt-get install ([^&]*)", rest) for word, rest in instructions[last:] if word == "RUN"]
    return [package for install in found if install for package in shlex.split(install.group(1)) if not package.startswith("-")]


def base_of(dockerfile):
    """The directory that an image's layers lie over. Where it has to be made, this wants a network."""
    if os.environ.get("REASON_POD_BASE") != "debian":
        return pathlib.Path("/")
    packages = ",".join(packages_of(dockerfile))
    kept = ROOT / ".build" / "images"
    tree = kept / ("debian-" + hashlib.sha256(packages.encode()).hexdigest()[:12])
    if not tree.exists():
        kept.mkdir(parents=True, exist_ok=True)
        run("mmdebstrap", "--variant=minbase", f"--include={packages}", "bookworm", f"{tree}.new", timeout=570)
        os.rename(f"{tree}.new", tree)
    return tree


def image(name, scratch):
    """As REASON_POD_BASE says. scratch: an empty directory on a file system that may hold an overlay's upper layer."""
    return BuiltImage(name, scratch) if os.environ.get("REASON_POD_BASE") == "oci" else LaidImage(f"{name}.Dockerfile", scratch)


class BuiltImage:
    """One of `make images`, as a container runtime would unpack it."""

    def __init__(self, name, scratch):
        layout = ROOT / ".build" / "images" / name
        assert layout.is_dir(), f"there is no image {name}: make images"
        reference = json.loads((layout / "index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
        bundle = scratch / "bundle"
        run("umoci", "unpack", "--image", f"{layout}:{reference}", bundle)
        self.bundle, self.root = bundle, bundle / "rootfs"
        self.layers = [self.root]
        said = json.loads(run("skopeo", "inspect", "--config", f"oci:{layout}:{reference}"))["config"]
        self.user, self.command = said.get("User", "0:0"), json.dumps(said["Cmd"])
        self.stop_signal = said.get("StopSignal", "SIGTERM")


class LaidImage:
    """What a Dockerfile installs, laid over a base."""

    def __init__(self, dockerfile, scratch):
        instructions, last = instructions_of(dockerfile)
        self.user, self.command, self.stop_signal = "0:0", [], "SIGTERM"
        out = scratch / "out"
        self.installed_by_make(instructions[:last], out)
        commands = []
        for word, rest in instructions[last:]:
            if word == "RUN" and "apt-get" not in rest:
                commands.append(rest)
            elif word == "USER":
                self.user = rest
            elif word == "CMD":
                self.command = rest
            elif word == "STOPSIGNAL":
                self.stop_signal = rest
        base = base_of(dockerfile)
        merged = scratch / "merged"
        upper = overlay(merged, [out, base], scratch / "run")
        for command in commands:
            run("chroot", merged, "sh", "-ec", command)
        run("umount", merged)
        self.layers = [upper, out, base]

    def installed_by_make(self, instructions, out):
        for word, rest in instructions:
            if word == "RUN":
                for folder, variables in re.findall(r"make -C /src/(\S+) install ?([^&]*)", rest):
                    run("make", "-C", ROOT / folder, "install", *variables.replace("DESTDIR=/out", f"DESTDIR={out}").split())
        assert out.is_dir(), "no build stage installs anything into /out"
