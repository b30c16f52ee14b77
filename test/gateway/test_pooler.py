"""The gateway behind pgbouncer, which may use another session for each transaction."""

import contextlib
import os
import re
import signal

import pytest

from reason_gateway import configured
from wait import wait_for

CONNINFO = re.compile(r'server "[^"]*";')


@pytest.fixture(scope="module")
def pooler(stack):
    """The directory of a pgbouncer with two servers for everybody; its port is the database's plus 30."""
    directory = stack.run / "pooler"
    directory.mkdir()
    (directory / "users").write_text('"postgres" ""\n')
    (directory / "ini").write_text(f"""[databases]
* = {stack.address}
[pgbouncer]
listen_addr =
unix_socket_dir = {directory}
listen_port = {stack.postgres.port + 30}
auth_type = trust
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = 2
logfile = {directory}/log
pidfile = {directory}/pid
""")
    if os.getuid() == 0:
        os.system(f"chown -R postgres: {directory}")
    # what the connection string's options say otherwise, and a pooler does not pass on
    with stack.database() as database:
        database.execute("ALTER ROLE postgres SET client_connection_check_interval = '1s'")
    stack.service("/usr/sbin/pgbouncer", "-d", directory / "ini")
    wait_for((directory / "pid").exists)
    yield directory
    os.kill(int((directory / "pid").read_text()), signal.SIGTERM)
    with stack.database() as database:
        database.execute("ALTER ROLE postgres RESET client_connection_check_interval")


@contextlib.contextmanager
def behind(stack, pooler, more):
    text = (stack.run / "gateway/nginx.conf").read_text()
    conninfo = f'server "host={pooler} port={stack.postgres.port + 30} dbname=postgres user=postgres target_session_attrs=read-write application_name=reason-gateway client_encoding=UTF8";'
    with configured(stack, CONNINFO.search(text).group(0), f"{conninfo} {more}"):
        wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
        yield


def test_without_prepared_statements_it_answers_as_ever(stack, pooler):
    with behind(stack, pooler, "prepare off;"):
        for n in range(30):
            status, answer = stack.json("POST", f"/echo/{n}?a=b", '{"x":1}')
            assert (status, answer["id"], answer["query"], answer["body"]) == (200, str(n), {"a": "b"}, '{"x":1}')
            assert stack.call("GET", f"/look?key={n}")[0] == 200
        assert stack.call("GET", "/rows?rows=100&size=30011")[2] == b"".join(bytes([97 + n % 26]) * 30011 for n in range(100))
        assert stack.json("POST", "/refuse", '{"sqlstate":"42501"}')[0] == 403
        with stack.database() as database:
            assert database.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_a_client_that_leaves_frees_the_server_behind_it(stack, pooler):
    with behind(stack, pooler, "prepare off;"):
        for _ in range(3):
            connection = stack.connect()
            connection.request("GET", "/sleep?seconds=60")
            connection.sock.close()
            connection.close()
        assert stack.call("GET", "/echo/x")[0] == 200
        with stack.database() as database:
            wait_for(lambda: database.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchone() == (0,), 20)
