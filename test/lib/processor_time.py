"""Processor time of processes, threads and all, from /proc."""

import os
import pathlib


def first_line(path):
    """The process that a file of process ids names."""
    return int(pathlib.Path(path).read_text(encoding="utf-8").split("\n", 1)[0])


def seconds(pid):
    """What all threads of a process that live have used, to the microsecond; that of threads which have ended is lost."""
    total = 0
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total / 1e9


def seconds_of_ended_children(pid):
    """What children of a process had used that have ended, in steps of a clock tick."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def part_of_backend(pid):
    """What a process of PostgreSQL works for, by its title."""
    try:
        title = pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "server"
    if title.startswith("postgres: gateway "):
        return "backends"
    return "sealing" if title.startswith("postgres: sidecar ") else "server"
