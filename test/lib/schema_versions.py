"""A database that says its schema is of another version; which versions a program works with."""

import re

from paths import ROOT

OWN = re.search(r"^default_version = '(.*)'", (ROOT / "extension/reasoning_graph.control").read_text(), re.M).group(1)
MAJOR, MINOR = map(int, OWN.split(".")[:2])
# its own, with other patches, and the next
KNOWN = (OWN, f"{MAJOR}.{MINOR}.99", f"{MAJOR}.{MINOR + 1}.0")
TOO_NEW = (f"{MAJOR}.{MINOR + 2}.0", f"{MAJOR + 1}.0.0", "next")
TOO_OLD = (f"{MAJOR}.{MINOR - 1}.7",) if MINOR else (f"{MAJOR - 1}.9.0",) if MAJOR else ()


def say_version(connection, version):
    """What pg_extension has for it; None: there is no such extension. A superuser's connection."""
    connection.execute("SET allow_system_table_mods = on")
    if version is None:
        connection.execute("DELETE FROM pg_extension WHERE extname = 'reasoning_graph'")
    elif not connection.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'reasoning_graph'", [version]).rowcount:
        connection.execute("INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
                           " VALUES (4000000000, 'reasoning_graph', 10, 'pg_catalog'::regnamespace, false, %s)", [version])
