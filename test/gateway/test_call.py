"""The SQL function gets all that a request says, and a request can wait for another answer than 202."""

import json
import threading
import time


def test_the_caller_is_who_the_certificate_says(stack):
    status, seen = stack.json("GET", "/echo/x", headers={"X-Request-Id": "r-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-SSL-Client-CN": "other"})
    assert status == 200
    assert (seen["cn"], seen["uri"], seen["requestId"], seen["traceparent"]) == ("kernel", "spiffe://reason.test/kernel", "r-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert seen["issuer"] == "CN=private authority,O=Reasoning Graph private stack"


def test_empty_values_are_null(stack):
    seen = stack.json("GET", "/echo/")[1]
    assert (seen["id"], seen["traceparent"], seen["body"], seen["query"]) == (None, None, None, {})


def test_bodies_arrive_whole_from_memory_and_from_file(stack):
    for size in (1, 1000, 200_000, 1_000_000):
        text = json.dumps("ü" * (size // 12))
        assert stack.json("POST", "/echo/x", text)[1]["body"] == text


def test_the_query_is_decoded_and_the_last_of_two_counts(stack):
    seen = stack.json("GET", "/echo/x?a=1&b=%C3%BC+%22&a=2&c&=e&%64=%5c")[1]
    assert seen["query"] == {"a": "2", "b": 'ü "', "c": "", "": "e", "d": "\\"}
    for bad in ("a=%", "a=%4", "a=%zz", "a=%00"):
        status, error = stack.json("GET", "/echo/x?" + bad)
        assert (status, error["error"]) == (400, "the query string is not valid percent-encoding"), bad
    assert stack.call("GET", "/echo/x?a=%ff")[0] == 400
    assert stack.call("GET", "/echo/%ff")[0] == 400


def test_202_is_awaited_without_holding_a_connection(stack):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(stack.call("GET", "/begin?wait=5000&key=soon"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    # four connections, six that wait
    assert stack.call("GET", "/echo/x")[0] == 200
    assert not answers
    with stack.database() as database:
        database.execute("INSERT INTO reason.done (key) VALUES ('soon')")
    for thread in threads:
        thread.join()
    assert [(status, headers["Location"], json.loads(body)["status"]) for status, headers, body in answers] == [(201, None, "complete")] * 6


def test_202_is_the_answer_when_the_wait_is_over(stack):
    began = time.monotonic()
    status, headers, body = stack.call("GET", "/begin?wait=300&key=never")
    assert 0.25 < time.monotonic() - began < 2
    assert (status, headers["Location"], headers["X-Reason-Await"], json.loads(body)["status"]) == (202, "/later", None, "pending")
