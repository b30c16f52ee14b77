"""A PostgreSQL that can be taken back to an earlier state, as administrators do it."""

import shutil

import psycopg

from postgres import Server
from wait import wait_for

TARGET = "before"


class RestorableServer(Server):
    """Archives its WAL; is restored from a base backup to a point that was named, or from a copy of its files."""

    def __init__(self, parent, name, settings=""):
        super().__init__(parent, name, f"{settings}\narchive_mode = on\narchive_command = 'mkdir -p ../wal && cp %p ../wal/%f'\n")

    def back_up(self):
        self.run("pg_basebackup", "-D", self.directory / "backup", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-c", "fast")

    def restore(self, database):
        """Point-in-time recovery: forgets what was committed after mark_target()."""
        database.value("SELECT pg_switch_wal()")
        self.stop()
        shutil.rmtree(self.data)
        self.command("cp", "-a", self.directory / "backup", self.data)
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"restore_command = 'cp ../wal/%f %p'\nrecovery_target_name = '{TARGET}'\nrecovery_target_action = 'promote'\n")
        self.command("touch", self.data / "recovery.signal")
        self.start()
        with psycopg.connect(self.conninfo("postgres", "postgres"), autocommit=True) as connection:
            wait_for(lambda: not connection.execute("SELECT pg_is_in_recovery()").fetchone()[0], 30, "the end of recovery")

    def copy_files(self):
        """Stops it, as for a snapshot of its volume."""
        self.stop()
        self.command("cp", "-a", self.data, self.directory / "copy")
        self.start()

    def put_back_files(self):
        """The copy comes back: nothing tells PostgreSQL that time has passed."""
        self.stop("immediate")
        shutil.rmtree(self.data)
        self.command("cp", "-a", self.directory / "copy", self.data)
        self.start()


def mark_target(database):
    database.value("SELECT pg_create_restore_point(%s)", TARGET)


SAFE_MODE = "reason_sidecar_safe_mode"


def chain(database):
    """Every event as it is known outside, by place."""
    return {(division, seq): text for division, seq, text in database.rows(
        "SELECT division, seq, reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division, seq")}


def outside(database, settings):
    """Whether everything that is signed is known outside."""
    query = "SELECT coalesce(bool_and(coalesce(x.seq, -1) = c.head_seq), false) FROM reason.signed_chains() c LEFT JOIN "
    if "kafka" in settings:
        return database.value(query + "reason.emission x ON x.division = c.division")
    return database.value(query + "(SELECT division, max(last_seq) AS seq FROM reason.archive_segment WHERE archived_at IS NOT NULL GROUP BY 1) x"
                                  " ON x.division = c.division")


def settle(database, settings, seconds=30):
    database.settled(seconds)
    wait_for(lambda: outside(database, settings), seconds, "archiving or emitting")
