"""Four connections and eight places in the queue: what comes beyond is refused."""

import json
import os
import signal
import threading
import time

import pytest

from wait import wait_for


def at_once(stack, count, path):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(stack.call("GET", path))) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_more_than_may_wait_are_refused_at_once(stack):
    threads, answers = at_once(stack, 20, "/sleep?seconds=0.5")
    for thread in threads:
        thread.join()
    for _, headers, body in [answer for answer in answers if answer[0] == 503]:
        assert (headers["Retry-After"], json.loads(body)["code"]) == ("1", "REASONING_GRAPH_DEPENDENCY")
    assert sorted(status for status, _, _ in answers) == [200] * 12 + [503] * 8
    assert stack.metric("reason_gateway_failures_total", '{kind="queue_full"}') >= 8


def test_one_slow_call_holds_up_no_other(stack):
    threads, answers = at_once(stack, 1, "/sleep?seconds=2.8")
    for _ in range(20):
        assert stack.call("GET", "/echo/x")[0] == 200
    assert not answers
    threads[0].join()
    assert answers[0][0] == 200


def test_a_wait_ends_at_its_deadline(stack):
    threads, answers = at_once(stack, 4, "/sleep?seconds=2.8")
    wait_for(lambda: stack.metric("reason_gateway_connections_idle") == 0)
    began = time.monotonic()
    status, error = stack.json("GET", "/sleep?seconds=0&key=waited")
    assert (status, error["error"]) == (503, "no database connection became free in time; nothing was done")
    assert 1.5 < time.monotonic() - began < 2.6
    for thread in threads:
        thread.join()
    assert [answer[0] for answer in answers] == [200] * 4
    with stack.database() as database:
        assert database.execute("SELECT count(*) FROM reason.done WHERE key = 'waited'").fetchone() == (0,)


def test_a_reload_finishes_what_was_begun(stack):
    threads, answers = at_once(stack, 3, "/sleep?seconds=1.5")
    wait_for(lambda: stack.metric("reason_gateway_connections_idle") == 1)
    old = stack.worker()
    os.kill(stack.master(), signal.SIGHUP)
    wait_for(lambda: stack.worker() != old or len(answers) == 3)
    for thread in threads:
        thread.join()
    assert [answer[0] for answer in answers] == [200] * 3
    wait_for(lambda: not os.path.exists(f"/proc/{old}"))
    wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
    assert len(stack.backends()) == 4


def test_a_shutdown_finishes_what_was_begun_and_takes_no_more(stack):
    threads, answers = at_once(stack, 6, "/sleep?seconds=1")
    # four at work, two that wait
    wait_for(lambda: stack.metric("reason_gateway_queue_depth") == 2)
    master = stack.master()
    try:
        os.kill(master, signal.SIGQUIT)
        for thread in threads:
            thread.join()
        assert [answer[0] for answer in answers] == [200] * 6
        wait_for(lambda: not os.path.exists(f"/proc/{master}"))
        with pytest.raises(ConnectionRefusedError):
            stack.call("GET", "/echo/x")
        wait_for(lambda: stack.backends() == [])
    finally:
        stack.start_gateway()
