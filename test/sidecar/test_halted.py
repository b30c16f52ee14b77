"""A chain that halts at an event is named by the sidecar, and goes on when it is mended; the others go on all the while."""

from wait import wait_for


def test_a_chain_that_halts_is_told_and_mended(database, sidecar):
    def head(division):
        return database.value("SELECT count(*) FROM reason.audit_signature WHERE division = %s", division)

    def write(division):
        database.value("SELECT reason.add_node('score', '1', 'ada', division => %s)", division)

    with database.connect() as damaging:
        damaging.execute("SET session_replication_role = replica")
        damaging.execute("BEGIN")
        damaging.execute("SELECT reason.add_node('score', '1', 'ada', division => 'damaged')")
        damaging.execute("UPDATE reason.audit_event SET payload = (payload::text || ' ')::json WHERE division = 'damaged'")
        damaging.execute("COMMIT")
    wait_for(lambda: sidecar.metric('reason_sidecar_parked{duty="seal"}') == 1, 20)
    event = str(database.value("SELECT id FROM reason.audit_event WHERE division = 'damaged'"))
    assert event in sidecar.log() and 'the chain of division "damaged" halts' in sidecar.log()
    write("damaged")
    write("whole")
    wait_for(lambda: head("whole") == 1, 20)
    assert head("damaged") == 0
    assert database.value("SELECT reason.mend_chain('damaged', 'a test')") == "remade"
    wait_for(lambda: head("damaged") == 2, 20)
    wait_for(lambda: sidecar.metric('reason_sidecar_parked{duty="seal"}') == 0, 20)
    assert database.value("SELECT bool_and(ok) FROM reason.verify_audit('damaged')")
