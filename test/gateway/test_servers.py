"""Several addresses of PostgreSQL: silent ones, wrong ones, and one that takes no writes."""

import contextlib
import socket
import time

import pytest

from ports import free_port
from reason_gateway import configured
from wait import wait_for


@contextlib.contextmanager
def silent_server():
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def test_a_silent_server_keeps_nobody_from_the_next(stack):
    with silent_server() as silent, configured(stack, stack.address, f"host=127.0.0.1,{stack.postgres.directory} port={silent},{stack.postgres.port}"):
        began = time.monotonic()
        # connect_timeout is 2 s, for the queue too
        assert stack.call("GET", "/echo/x")[0] == 200
        assert time.monotonic() - began < 1.8
        wait_for(lambda: stack.metric("reason_gateway_connections") == 4)


def test_a_server_of_the_wrong_kind_is_passed_over(stack):
    """prefer-standby: none of the two is a standby, so any will do."""
    old = f"{stack.address} dbname=postgres user=postgres target_session_attrs=read-write"
    assert old in (stack.run / "gateway/nginx.conf").read_text()
    with configured(stack, old, f"host={stack.postgres.directory},{stack.postgres.directory} port={stack.postgres.port} dbname=postgres user=postgres target_session_attrs=prefer-standby"):
        assert stack.call("GET", "/echo/x")[0] == 200
    with configured(stack, old, f"{stack.address} dbname=postgres user=postgres target_session_attrs=standby"):
        assert stack.call("GET", "/echo/x")[0] == 503


def test_a_socket_that_libpq_replaces_is_not_waited_for(stack):
    """Another may have the same number, within one step of connecting."""
    log = stack.run / "log/gateway.log"
    before = log.stat().st_size
    with configured(stack, f"host={stack.postgres.directory} port={stack.postgres.port} dbname=postgres user=postgres target_session_attrs=read-write",
                    f"host=localhost hostaddr=127.0.0.1 port={free_port()} dbname=postgres user=postgres target_session_attrs=prefer-standby"):
        # nobody listens there, at either of the name's addresses
        assert stack.call("GET", "/echo/x")[0] == 503
        told = log.read_text()[before:]
        assert "Connection refused" in told and "epoll_ctl" not in told


def test_connections_are_renewed(stack):
    with configured(stack, "lifetime 1h;", "lifetime 1s;"):
        wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
        seen = set()

        def renewed():
            assert stack.call("GET", "/echo/x")[0] == 200
            seen.update(stack.backends())
            return len(seen) > 5
        wait_for(renewed)


def test_a_server_that_takes_no_writes_is_left_and_found_again(stack):
    def set_read_only(value):
        with stack.database() as database:
            database.execute("SET default_transaction_read_only = off")
            database.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            database.execute("SELECT pg_reload_conf()")
            wait_for(lambda: stack.database().execute("SHOW default_transaction_read_only").fetchone() == (value,))

    assert stack.call("GET", "/sleep?seconds=0&key=before")[0] == 200
    set_read_only("on")
    try:
        began = time.monotonic()
        status, error = stack.json("GET", "/sleep?seconds=0&key=meanwhile")
        assert (status, error["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
        assert "nothing was done" in error["error"]
        assert time.monotonic() - began < 4
        assert stack.backends() == []
    finally:
        set_read_only("off")
    began = time.monotonic()
    wait_for(lambda: stack.call("GET", "/sleep?seconds=0&key=after")[0] == 200)
    assert time.monotonic() - began < 2
    with stack.database() as database:
        assert {row[0] for row in database.execute("SELECT key FROM reason.done WHERE key IN ('before', 'meanwhile', 'after')")} == {"before", "after"}


def test_gauges_are_of_all_upstreams(stack):
    other = f'reason_upstream other {{ server "{stack.address} dbname=postgres user=postgres"; connections 3; }}\n'
    with configured(stack, f"include {stack.run}/gateway/reads/upstream.con[f];", other):
        wait_for(lambda: stack.metric("reason_gateway_connections") == stack.metric("reason_gateway_connections_idle") == 7)


def tried(stack, directory, server):
    """What nginx -t says of the configuration with another address."""
    path = directory / "nginx.conf"
    path.write_text((stack.run / "gateway/nginx.conf").read_text().replace(stack.address, server))
    return stack.tested(path, directory)


@pytest.mark.parametrize(("server", "words"), [
    ("host=a,b port=1,2,3", "names one port, or one for each host"), ("host=a,b hostaddr=127.0.0.1", "names as many hosts as hostaddrs"),
    ("host=a colour=red", 'invalid connection option "colour"'), ("host", 'missing "="')])
def test_what_is_no_address_is_refused_before_anything_starts(stack, tmp_path, server, words):
    tested = tried(stack, tmp_path, server)
    assert tested.returncode != 0 and words in tested.stderr


def test_a_name_that_nobody_knows_is_told_before_anything_starts(stack, tmp_path):
    tested = tried(stack, tmp_path, f"host=localhost,nowhere.invalid,127.0.0.1,{stack.postgres.directory} port={stack.postgres.port}")
    assert tested.returncode == 0
    assert [line.split('"')[1] for line in tested.stderr.splitlines() if "cannot be looked up" in line] == ["nowhere.invalid"]
