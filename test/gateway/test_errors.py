"""An error that SQL raises becomes a status and a body that is JSON, whatever its text."""

import json

import pytest


@pytest.mark.parametrize(("sqlstate", "status", "code"), [
    ("22023", 400, "BAD_REQUEST"), ("22P02", 400, "BAD_REQUEST"), ("23502", 400, "BAD_REQUEST"), ("23514", 400, "BAD_REQUEST"),
    ("28000", 401, "AUTH"), ("42501", 403, "FORBIDDEN"), ("P0002", 404, "NOT_FOUND"), ("23505", 409, "CONFLICT"), ("55000", 409, "CONFLICT"),
    ("54000", 413, "TOO_LARGE"), ("0A000", 415, "UNSUPPORTED"), ("53400", 429, "QUOTA"), ("57014", 504, "DEPENDENCY"),
    ("53100", 503, "DEPENDENCY"), ("40001", 503, "DEPENDENCY"), ("40P01", 503, "DEPENDENCY"), ("25006", 503, "DEPENDENCY"),
    ("XX000", 500, "INTERNAL"), ("42883", 500, "INTERNAL")])
def test_sqlstate_decides_the_status(stack, sqlstate, status, code):
    got, headers, body = stack.call("POST", "/refuse", json.dumps({"sqlstate": sqlstate, "message": "secret", "detail": "secret", "hint": "secret"}))
    error = json.loads(body)
    assert (got, error["code"]) == (status, f"REASONING_GRAPH_{code}")
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Request-Id"] == error["requestId"]
    if status >= 500:
        assert b"secret" not in body
    else:
        assert error["error"] == "secret" and error["details"] == {"detail": "secret", "hint": "secret"}
    assert ("Retry-After" in headers) == (status in (429, 503))


@pytest.mark.parametrize("text", ['a "quoted" \\ back', "line\nbreak\ttab", "\x01\x1f", "ü – 😀", "{broken", '{"a":1} tail', '{"a":01}', '{"a":"\\x"}',
                                  '{"a":' * 40, "{}{"])
def test_any_text_makes_a_valid_body(stack, text):
    status, error = stack.json("POST", "/refuse", json.dumps({"sqlstate": "22023", "message": text, "detail": text, "hint": text}))
    assert status == 400
    assert error["error"] == text and error["details"] == {"detail": text, "hint": text}


@pytest.mark.parametrize("detail", ['{"index":3,"pointer":"/nodes/3"}', '{}', '{"a":[1,-2.5e+3,true,false,null,{"b":"\\u00e9\\n"}]} \n'])
def test_a_detail_that_is_an_object_becomes_the_details(stack, detail):
    status, error = stack.json("POST", "/refuse", json.dumps({"sqlstate": "22023", "detail": detail, "hint": "h"}))
    assert status == 400
    assert error["details"] == {**json.loads(detail), "hint": "h"}


def test_an_internal_error_is_logged_with_its_request(stack):
    stack.call("POST", "/refuse", json.dumps({"sqlstate": "XX000", "message": "the inner secret"}), {"X-Request-Id": "find-me"})
    log = (stack.run / "log/gateway.log").read_text()
    assert "request find-me: XX000: the inner secret" in log


def test_an_error_after_the_first_row_takes_back_status_and_headers(stack):
    status, headers, body = stack.call("GET", "/rows?rows=3&size=10&fail=2")
    assert (status, json.loads(body)["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST")
    assert headers["ETag"] is None and headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/nothing", "/absent"])
def test_a_function_that_answers_nothing_or_does_not_exist_is_an_internal_error(stack, path):
    for _ in range(3):
        status, error = stack.json("GET", path)
        assert (status, error["code"], error["error"]) == (500, "REASONING_GRAPH_INTERNAL", "internal error")
    assert stack.json("GET", "/echo/1")[0] == 200


def test_a_write_must_be_json_and_small_enough(stack):
    assert stack.call("POST", "/refuse", "{}", {"Content-Type": "text/plain"})[0] == 415
    status, error = stack.json("POST", "/refuse", "x" * (1024 * 1024 + 1))
    assert (status, error["code"]) == (413, "REASONING_GRAPH_TOO_LARGE")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/echo/1", 200), ("POST", "/echo/1", 200), ("HEAD", "/echo/1", 200), ("GET", "/health", 200), ("GET", "/nowhere", 404),
                                                        ("PUT", "/echo/1", 405), ("GET", "/health?x=1", 400), ("GET", "/absent", 500)])
def test_what_says_nothing_of_it_may_not_be_kept(stack, method, path, status):
    """What is read may be erased, and what is not there may come: 404 and 405 are kept by default, too (RFC 9111, 4.2.2)."""
    answered, headers, _ = stack.call(method, path, "{}" if method == "POST" else None)
    assert (answered, headers.get_all("Cache-Control")) == (status, ["no-store"])


def test_what_a_function_says_of_it_counts(stack):
    assert stack.call("GET", "/rows?rows=3&size=100000")[1].get_all("Cache-Control") == ["max-age=1"]
