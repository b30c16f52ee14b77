"""PostgreSQL stalls, dies and comes back."""

import os
import signal
import threading
import time

from wait import wait_for


def test_an_idle_connection_that_died_costs_no_request(stack):
    for _ in range(5):
        backends = stack.backends()
        for backend in backends:
            os.kill(backend, signal.SIGTERM)
        # a call that reaches a backend while it dies is 503
        wait_for(lambda: not any(os.path.exists(f"/proc/{backend}") for backend in backends))  # pylint: disable=cell-var-from-loop
        assert stack.call("GET", "/echo/x")[0] == 200
    wait_for(lambda: stack.metric("reason_gateway_connections") == 4)


def test_a_connection_that_dies_under_a_call_is_503_and_nothing_is_done_twice(stack):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(stack.json("GET", "/sleep?seconds=2&key=dying")))
    thread.start()

    def busy():
        with stack.database() as database:
            return database.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'reason-gateway' AND state = 'active'").fetchall()
    for (backend,) in wait_for(busy):
        os.kill(backend, signal.SIGTERM)
    thread.join()
    assert (answers[0][0], answers[0][1]["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
    with stack.database() as database:
        assert database.execute("SELECT count(*) FROM reason.done WHERE key = 'dying'").fetchone() == (0,)


def test_a_stalled_database_is_504_in_time_and_then_recovers(stack):
    wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
    stopped = stack.backends()
    for backend in stopped:
        os.kill(backend, signal.SIGSTOP)
    try:
        began = time.monotonic()
        status, error = stack.json("GET", "/echo/x")
        assert (status, error["code"]) == (504, "REASONING_GRAPH_DEPENDENCY")
        assert time.monotonic() - began < 4
    finally:
        for backend in stopped:
            os.kill(backend, signal.SIGCONT)
    wait_for(stack.healthy)
    wait_for(lambda: len(stack.backends()) == 4)


def test_without_a_database_every_request_is_answered_and_it_is_found_again(stack):
    stack.stop_postgres("immediate")
    try:
        began = time.monotonic()
        status, error = stack.json("GET", "/echo/x")
        assert (status, error["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
        assert time.monotonic() - began < 4
    finally:
        stack.start_postgres()
    began = time.monotonic()
    wait_for(stack.healthy)
    assert time.monotonic() - began < 2.5


def test_a_database_that_stays_away_is_told_once(stack):
    log = stack.run / "log/gateway.log"
    stack.stop_postgres("immediate")
    try:
        wait_for(lambda: stack.metric("reason_gateway_connections") == 0)
        before, failures = log.stat().st_size, stack.metric("reason_gateway_failures_total", '{kind="connection_lost"}')
        wait_for(lambda: stack.metric("reason_gateway_failures_total", '{kind="connection_lost"}') >= failures + 20)
        assert log.stat().st_size - before < 1000
    finally:
        stack.start_postgres()
    wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
    assert "connected to PostgreSQL again" in log.read_text()[before:]
