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

    def covered():
        # Beside a sidecar that makes checkpoints as well: what it has planned may be smaller.
        checkpoints.sign_checkpoints(running)
        return not running("SELECT FROM reason.audit_event e LEFT JOIN reason.audit_seal s ON s.event_no = e.no AND s.division = e.division"
                           " WHERE e.no <= %s AND coalesce(s.seq >= coalesce((SELECT c.size FROM reason.last_checkpoint(e.division) c), 0), true) LIMIT 1", last)

    wait_for(covered, what="checkpoints")
