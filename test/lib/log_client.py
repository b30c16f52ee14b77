"""Checkpoints of a running stack, and its log read as https://c2sp.org/tlog-tiles has it."""

import checkpoints
from wait import wait_for


class Running:
    """A connection to a stack's database in the place of sealing.Database: the sidecar's lease is used, not taken."""

    def __init__(self, connection):
        self.connection = connection

    def __call__(self, query, *parameters):
        cursor = self.connection.execute(query, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def row(self, query, *parameters):
        row, = self(query, *parameters)
        return row

    def one(self, query, *parameters):
        value, = self.row(query, *parameters)
        return value

    def token(self, duty):
        return self.one("SELECT token FROM reason.lease WHERE duty = %s AND expires_at > clock_timestamp()", duty)


def checkpoint(connection):
    """Has everything that was written covered by a checkpoint of each log."""
    running = Running(connection)
    last = running.one("SELECT coalesce(max(no), 0) FROM reason.audit_event")
    wait_for(lambda: not running("SELECT FROM reason.audit_event e WHERE no <= %s AND NOT EXISTS (SELECT FROM reason.audit_seal s"
                                 " JOIN reason.audit_signature g ON g.division = s.division AND g.seq = s.seq WHERE s.event_no = e.no)", last), what="signatures")
    return checkpoints.sign_checkpoints(running)
