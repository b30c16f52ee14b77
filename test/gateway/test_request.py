"""A request is checked before anything is done with it."""

import gzip
import json

import pytest

JSON = "application/json"


@pytest.mark.parametrize("kind", [JSON, "Application/JSON", f"{JSON}; charset=utf-8", f"{JSON};charset=UTF-8", f'{JSON}; charset="utf-8"', f"{JSON} ; q=1",
                                  f"{JSON};", f"{JSON}; profile=\"a;b\""])
def test_json_in_utf8_is_taken(stack, kind):
    assert stack.call("POST", "/echo/x", "{}", {"Content-Type": kind})[0] == 200


@pytest.mark.parametrize("kind", [f"{JSON} garbage", f"{JSON}; charset=utf-16", f"{JSON}; charset=iso-8859-1", f"{JSON}; charset", f"{JSON}x", "application/jso",
                                  "text/json", f"text/plain; {JSON}", f"{JSON}, text/plain", f'{JSON}; charset="utf-8', f"{JSON}; a=1 b=2",
                                  f"{JSON};charset=utf-8x", f"{JSON}; q=1; charset=utf-7", ""])
def test_anything_else_is_415(stack, kind):
    status, error = stack.json("POST", "/echo/x", "{}", {"Content-Type": kind})
    assert (status, error["code"]) == (415, "REASONING_GRAPH_UNSUPPORTED")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-gzip", "identity, gzip", "GZIP"])
def test_a_body_in_a_coding_is_415_and_told_so(stack, coding):
    status, error = stack.json("POST", "/echo/x", gzip.compress(b"{}"), {"Content-Encoding": coding})
    assert (status, error["code"], error["error"]) == (415, "REASONING_GRAPH_UNSUPPORTED", "bodies are taken as they are, without Content-Encoding")


def test_identity_is_no_coding(stack):
    assert stack.call("POST", "/echo/x", "{}", {"Content-Encoding": "identity"})[0] == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("POST", "/measure"), ("GET", "/health"), ("GET", "/ready")])
@pytest.mark.parametrize("query", ["x=1", "x", "%ff", "%c3%a9=1", "&"])
def test_a_path_that_takes_no_parameters_takes_none(stack, method, path, query):
    status, error = stack.json(method, f"{path}?{query}", "{}" if method == "POST" else None)
    assert (status, error["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST")


VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(("header", "kept"), [
    (VALID, VALID), ("cc" + VALID[2:] + "-what-comes-later", "cc" + VALID[2:]), ("01" + VALID[2:], "01" + VALID[2:]),
    (VALID + "-more", None), ("ff" + VALID[2:], None), (VALID.upper(), None), (VALID[:-1], None), (VALID.replace("-", "_"), None),
    ("00-" + 32 * "0" + VALID[35:], None), (VALID[:36] + 16 * "0" + "-01", None), ("ada@example.org", None), (7000 * "a", None),
    (VALID[:53] + "\xff\xfe", None), (VALID[:10] + "\xed\xa0\x80" + VALID[13:], None), ("cc" + VALID[2:] + "x", None), ("", None)])
def test_only_a_traceparent_is_passed_on(stack, header, kept):
    status, answer = stack.json("GET", "/echo/x", headers={"traceparent": header})
    assert (status, answer["traceparent"]) == (200, kept)


@pytest.mark.parametrize("second", [VALID, VALID.replace("af", "fa"), "no traceparent", ""])
def test_of_two_traceparents_neither_counts(stack, second):
    """W3C's own tests of services ask for it."""
    connection = stack.connect()
    connection.putrequest("GET", "/echo/x")
    connection.putheader("traceparent", VALID)
    connection.putheader("TraceParent", second)
    connection.endheaders()
    assert json.loads(connection.getresponse().read())["traceparent"] is None
    connection.close()


@pytest.mark.parametrize(("body", "details"), [
    (b'{"nodes":[{"a":1},{"a":"\xff"},{}]}', {"index": 1, "offset": 24}),
    (b'{"edges": [ {"a":[1,2,{"b":[3,4]}]}, {}, {"x":"\xed\xa0\x80"}]}', {"index": 2, "offset": 47}),
    (b'{"nodes":[{"\\",":"],[,"},{"a":"\xc3\x28"}]}', {"index": 1, "offset": 31}),
    (b'{"nodes":[],"x":"\xf5"}', {"offset": 17}), (b'{"payload":[1,2,"\xf0\x9f"]}', {"offset": 17}), (b"\xff", {"offset": 0}),
    (b'{"a":"' + 100 * "ä€😀".encode() + b'\xc0\xaf"}', {"offset": 906}), (b'{"nodes":[1,2,3,"' + 300_000 * b"x" + b'\x80"]}', {"index": 3, "offset": 300_017})])
def test_bytes_that_are_not_utf8_are_named_by_their_place(stack, body, details):
    status, error = stack.json("POST", "/echo/x", body)
    assert (status, error["error"], error["details"]) == (400, "the body is not UTF-8", details)


def test_a_nul_byte_is_named_by_its_place(stack):
    status, error = stack.json("POST", "/echo/x", b'{"nodes":[{"a":1},"\x00"]}')
    assert (status, error["error"], error["details"]) == (400, "the body holds a NUL byte", {"index": 1, "offset": 19})


@pytest.mark.parametrize(("rows", "size"), [(1, 5000), (10, 100_000), (3, 2_000_000)])
def test_answers_are_compressed_for_who_asks(stack, rows, size):
    plain = stack.call("GET", f"/rows?rows={rows}&size={size}")[2]
    status, headers, body = stack.call("GET", f"/rows?rows={rows}&size={size}", headers={"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Encoding"], headers["Vary"], headers["ETag"]) == (200, "gzip", "Accept-Encoding", 'W/"rows"')
    assert len(body) < len(plain) / 10 and gzip.decompress(body) == plain


def test_a_part_of_a_document_is_not_compressed(stack):
    status, headers, body = stack.call("GET", "/document?rows=30&size=30000", headers={"Accept-Encoding": "gzip", "Range": "bytes=0-99999"})
    assert (status, headers["Content-Encoding"], len(body)) == (206, None, 100_000)


def test_errors_say_the_same_compressed_or_not(stack):
    status, headers, body = stack.call("POST", "/refuse", json.dumps({"sqlstate": "22023", "message": 3000 * "m"}), {"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Encoding"], json.loads(body)["error"]) == (400, None, 3000 * "m")
