"""A sidecar of a release on trial claims sealing and snapshots from whoever leads them, and when it goes, they are led as before."""

import signal

import pytest

from database import SIGNER_ID
from signer import make_keys
from wait import wait_for

TRIED = ("seal", "snapshot")


def leader(database, duty):
    holder = database.value("SELECT holder FROM reason.lease WHERE duty = %s AND expires_at > clock_timestamp()", duty)
    return int(holder.split("/")[1]) if holder else None


def led_by(database, one, duties=TRIED):
    return all(leader(database, duty) == one.process.pid for duty in duties)


def on_trial(settings):
    return {**settings, "sidecar": {"trial": "yes"}}


@pytest.fixture
def stable(database, sidecars, archiving):
    """Two sidecars of the release that runs."""
    pair = [sidecars(archiving).start(), sidecars(archiving).start()]
    wait_for(lambda: any(led_by(database, one, (*TRIED, "archive")) for one in pair))
    return pair


@pytest.fixture
def tried(database, sidecars, archiving, stable):
    one = sidecars(on_trial(archiving)).start()
    wait_for(lambda: led_by(database, one), 30, "handing over")
    return one


def works(database):
    """What is written is sealed, signed, and frozen; the chain holds together."""
    database.completed(database.snapshot(database.node()), 30)
    database.settled(30)
    return database.verified()


def test_it_leads_what_it_is_tried_for_and_nothing_else(database, stable, tried):
    assert works(database)
    assert led_by(database, tried) and tried.metric("reason_sidecar_snapshots_stored_total") == 1
    assert leader(database, "archive") in [one.process.pid for one in stable]
    assert tried.metric('reason_sidecar_leading{duty="archive"}') == 0


@pytest.mark.parametrize("end", (signal.SIGTERM, signal.SIGKILL))
def test_when_it_goes_the_others_lead_again_and_nothing_is_lost(database, stable, tried, end):
    pending = [database.snapshot(database.node()) for _ in range(3)]
    tried.signal(end)
    tried.process.wait(30)
    wait_for(lambda: any(led_by(database, one) for one in stable), 30, "leading again")
    for snapshot in pending:
        database.completed(snapshot, 30)
    assert works(database)


def test_what_it_cannot_do_it_lets_go_and_does_not_claim_again(database, sidecars, archiving, stable, tmp_path):
    (tmp_path / "strange").mkdir()
    strange, _ = make_keys(tmp_path / "strange")
    one = sidecars(on_trial({**archiving, "signer": {"id": SIGNER_ID, "key_file": strange}})).start(ready=False)
    wait_for(lambda: leader(database, "seal") == one.process.pid, 30, "handing over")
    snapshot = database.snapshot(database.node())
    wait_for(lambda: any(led_by(database, other) for other in stable), 60, "leading again")
    database.completed(snapshot, 30)
    assert works(database) and not led_by(database, one, ("seal",))
    assert one.log().count("duty seal: this sidecar leads") == 1, one.log()[-3000:]


def test_a_claim_that_is_not_renewed_ends(database):
    def acquired(holder):
        return database.value("SELECT reason.acquire_lease('seal', %s, '1 minute')", holder)
    first = acquired("old")
    assert acquired("old") == first and acquired("new") is None
    database.value("SELECT reason.claim_lease('seal', 'new', '1 hour')")
    until = database.value("SELECT wanted_until - clock_timestamp() FROM reason.lease WHERE duty = 'seal'")
    assert 0 < until.total_seconds() <= 60
    # whoever leads gives it up, nobody but the claimant gets it, and nobody claims it meanwhile
    assert acquired("old") is None and acquired("third") is None
    database.value("SELECT reason.claim_lease('seal', 'third', '1 minute')")
    assert acquired("third") is None
    assert acquired("new") == first + 1
    database.connection.execute("UPDATE reason.lease SET wanted_until = clock_timestamp(), expires_at = clock_timestamp()")
    assert acquired("old") == first + 2
    # one of before the clock was set back is none
    database.connection.execute("UPDATE reason.lease SET wanted_by = 'new', wanted_until = clock_timestamp() + interval '2 hours'")
    assert acquired("old") == first + 2


def test_nobody_claims_what_it_leads(database):
    database.value("SELECT reason.acquire_lease('seal', 'one', '1 minute')")
    database.value("SELECT reason.claim_lease('seal', 'one', '1 minute')")
    assert database.value("SELECT wanted_by FROM reason.lease WHERE duty = 'seal'") is None


def test_a_change_that_is_being_made_is_finished_under_its_lease(database):
    token = database.value("SELECT reason.acquire_lease('seal', 'old', '1 minute')")
    with database.connect() as other:
        other.autocommit = False
        other.execute("SELECT reason.hold_lease('seal', %s)", [token])
        database.value("SELECT reason.claim_lease('seal', 'new', '1 minute')")
        assert database.value("SELECT reason.acquire_lease('seal', 'old', '1 minute')") == token
        assert database.value("SELECT reason.acquire_lease('seal', 'new', '1 minute')") is None
        other.rollback()
    database.value("SELECT reason.claim_lease('seal', 'new', '1 minute')")
    assert database.value("SELECT reason.acquire_lease('seal', 'old', '1 minute')") is None
    assert database.value("SELECT reason.acquire_lease('seal', 'new', '1 minute')") == token + 1
