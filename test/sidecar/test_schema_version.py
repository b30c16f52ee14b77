"""The sidecar does nothing with a schema that it does not know, and says why."""

import pytest

from schema_versions import KNOWN, OWN, TOO_NEW, TOO_OLD, say_version
from wait import wait_for


@pytest.mark.parametrize("version", KNOWN)
def test_a_schema_of_its_own_version_or_the_next_is_worked_on(database, sidecar, version):
    say_version(database.connection, version)
    database.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'sidecar'")
    database.node()
    database.settled()
    assert "too new" not in sidecar.log() and "too old" not in sidecar.log()


@pytest.mark.parametrize("version, says, remedy", [(version, "too new", "install a later sidecar") for version in TOO_NEW]
                         + [(version, "too old", "run ALTER EXTENSION reasoning_graph UPDATE") for version in TOO_OLD])
def test_another_is_left_alone_until_it_fits(database, sidecars, settings, version, says, remedy):
    say_version(database.connection, version)
    one = sidecars(settings).start(ready=False)
    message = f"the schema in the database has version {version}, {says} for this sidecar of version {OWN}: {remedy}"
    wait_for(lambda: message in one.log())
    database.node()
    assert one.get("/ready")[0] == 503 and one.metric("reason_sidecar_database_up") == 0
    assert database.value("SELECT count(*) FROM reason.audit_signature") == 0 and database.value("SELECT count(*) FROM reason.lease") == 0
    check = one.check()
    assert check.returncode == 1 and "database failed" in check.stdout and message in check.stdout + check.stderr
    say_version(database.connection, OWN)
    database.settled()
