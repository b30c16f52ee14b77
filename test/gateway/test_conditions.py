"""What a client wants only as the version that it knows (RFC 9110, 13.1): a refusal is the service's own, and the connection goes on."""

import contextlib
import json

import pytest

DATE = "Mon, 30 Nov 2020 16:00:00 GMT"
# gathered, and streamed
SIZES = [(3, 1000), (1, 200_000), (40, 30_000), (3, 2_000_000)]


def whole(rows, size):
    return b"".join(bytes([97 + n % 26]) * size for n in range(rows))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("rows", "size"), SIZES)
def test_another_version_is_412_and_the_next_request_is_answered(stack, rows, size, method):
    path = f"/document?rows={rows}&size={size}"
    for wanted in ('"x"', '"v"', '"v10"', 'W/"v1"', '"a", "b"', "v1"):
        with contextlib.closing(stack.connect()) as connection:
            connection.request(method, path, headers={"If-Match": wanted})
            answer = connection.getresponse()
            body = answer.read()
            assert (answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"], answer.headers["ETag"]) == \
                (412, "application/json", "no-store", None), wanted
            assert method == "HEAD" or json.loads(body)["code"] == "REASONING_GRAPH_BAD_REQUEST"
            connection.auto_open = 0
            connection.request("GET", "/echo/x")
            assert connection.getresponse().status == 200, wanted


@pytest.mark.parametrize(("rows", "size"), SIZES)
@pytest.mark.parametrize("wanted", ['"v1"', "*", '"x", "v1"', '"v1","x"', '"x" ,\t"v1"'])
def test_the_version_that_is_wanted_is_given(stack, rows, size, wanted):
    path = f"/document?rows={rows}&size={size}"
    status, _, body = stack.call("GET", path, headers={"If-Match": wanted})
    assert (status, body == whole(rows, size)) == (200, True)
    status, _, body = stack.call("GET", path, headers={"If-Match": wanted, "Range": "bytes=3-9"})
    assert (status, body) == (206, whole(rows, size)[3:10])


def test_a_part_of_another_version_is_412_too(stack):
    assert stack.call("GET", "/document?rows=30&size=30000", headers={"If-Match": '"x"', "Range": "bytes=3-9"})[0] == 412


def test_what_has_no_version_is_none_that_is_wanted(stack):
    status, error = stack.json("GET", "/echo/x", headers={"If-Match": '"x"'})
    assert (status, error["code"]) == (412, "REASONING_GRAPH_BAD_REQUEST")
    assert stack.call("GET", "/echo/x", headers={"If-Match": "*"})[0] == 200


def test_what_has_no_date_of_change_takes_no_condition_on_it(stack):
    for path in ("/echo/x", "/document?rows=30&size=30000"):
        assert stack.call("GET", path, headers={"If-Unmodified-Since": DATE})[0] == 200


def test_a_refusal_and_a_write_take_no_conditions(stack):
    body = json.dumps({"sqlstate": "22023", "message": "no"})
    assert stack.call("POST", "/refuse", body, {"If-Match": '"x"', "If-Unmodified-Since": DATE})[0] == 400
    assert stack.call("POST", "/echo/x", "{}", {"If-Match": '"x"', "If-Unmodified-Since": DATE})[0] == \
        stack.call("POST", "/echo/x", "{}")[0]
