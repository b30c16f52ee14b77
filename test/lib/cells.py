"""Two whole stacks as cells: the gateway of the first routes divisions to the PostgreSQL of the second."""

import contextlib
import os
import pathlib
import signal
import tempfile
import urllib.error
import urllib.request

from stack import Stack, new_stack, processes
from wait import wait_for


class Home(Stack):
    """Where clients call, and where divisions live that no line places."""

    def place(self, **cells):
        """division=cell: the whole map, taken up by a reload that is waited for."""
        lines = "".join(f"{division} {cell};\n" for division, cell in cells.items())
        (self.run_dir / "gateway/cells/divisions.conf").write_text(lines)
        self.reload()

    def reload(self):
        master = self.pid("gateway/nginx.pid")
        old = workers(master)
        os.kill(master, signal.SIGHUP)
        wait_for(lambda: not old & workers(master))

    def operations(self, path):
        """Status and body of the operations port."""
        try:
            with urllib.request.urlopen(self.env["REASON_OPS_URL"] + path, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


class Away(Stack):
    """The other cell. Its gateway is there as well, and of no use to clients."""


def workers(master):
    return set(pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split())


@contextlib.contextmanager
def away_for_now(cell):
    """Its PostgreSQL is killed, and there again afterwards."""
    postmaster = cell.pid("pg/postmaster.pid")
    os.kill(postmaster, signal.SIGQUIT)
    wait_for(lambda: not pathlib.Path(f"/proc/{postmaster}").exists())
    try:
        yield
    finally:
        cell.up()


@contextlib.contextmanager
def stalled(cell):
    """Its PostgreSQL stands still."""
    group = processes(cell)
    for process in group:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in group:
            os.kill(process, signal.SIGCONT)


@contextlib.contextmanager
def two_cells(divisions="acme"):
    """(home, away)"""
    with tempfile.TemporaryDirectory(prefix="reason-cells.") as directory:
        registries = [pathlib.Path(directory) / f"{name}.json" for name in ("home", "away")]
        pathlib.Path(directory).chmod(0o755)
        for registry in registries:
            registry.write_text('{"signers": []}')
        more = pathlib.Path(directory) / "away.conf"
        more.write_text("\n[checkpoint]\norigin = log.example.org/away\n")
        with new_stack(Away, SIGNER_ID="away", REGISTRY_FILE=str(registries[1]), SIDECAR_MORE=str(more)) as away:
            with away.database() as database:
                database.execute("SELECT reason.set_log_prefix('log.example.org/away')")
            port = away.env["REASON_DSN"].rsplit(":", 1)[1].split("/")[0]
            with new_stack(Home, SIGNER_ID="home", REGISTRY_FILE=str(registries[0]), CELL=f"127.0.0.1:{port}", CELL_DIVISIONS=divisions) as home:
                yield home, away
