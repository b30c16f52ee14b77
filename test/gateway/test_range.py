"""A document that breaks off on the way goes on where it broke off (RFC 9110, section 14)."""

import json
import re

import pytest


def whole(rows, size):
    return b"".join(bytes([97 + n % 26]) * size for n in range(rows))


# gathered, and streamed
SIZES = [(3, 1000), (1, 200_000), (40, 30_000), (3, 2_000_000)]


@pytest.mark.parametrize(("rows", "size"), SIZES)
def test_the_whole_says_how_long_it_is_and_that_parts_can_be_had(stack, rows, size):
    status, headers, body = stack.call("GET", f"/document?rows={rows}&size={size}")
    assert (status, body == whole(rows, size), headers["Content-Length"], headers["Accept-Ranges"]) == (200, True, str(rows * size), "bytes")


@pytest.mark.parametrize(("rows", "size"), SIZES)
def test_every_part_is_that_part(stack, rows, size):
    total, document = rows * size, whole(rows, size)
    for first, last in ((0, 0), (0, 99), (size - 1, min(size, total - 1)), (total // 2, total - 1), (total - 1, total - 1), (1, total - 2)):
        status, headers, body = stack.call("GET", f"/document?rows={rows}&size={size}", headers={"Range": f"bytes={first}-{last}"})
        assert (status, headers["Content-Range"], body == document[first:last + 1]) == (206, f"bytes {first}-{last}/{total}", True)
    status, _, body = stack.call("GET", f"/document?rows={rows}&size={size}", headers={"Range": f"bytes={total - 7}-"})
    assert (status, body) == (206, document[-7:])
    status, _, body = stack.call("GET", f"/document?rows={rows}&size={size}", headers={"Range": "bytes=-11"})
    assert (status, body) == (206, document[-11:])


@pytest.mark.parametrize(("rows", "size"), SIZES)
def test_a_part_that_is_not_there_is_416(stack, rows, size):
    for _ in range(5):
        status, headers, body = stack.call("GET", f"/document?rows={rows}&size={size}", headers={"Range": f"bytes={rows * size}-"})
        assert (status, headers["Content-Range"], json.loads(body)["code"]) == (416, f"bytes */{rows * size}", "REASONING_GRAPH_BAD_REQUEST")
        assert headers["ETag"] is None
    assert stack.call("GET", "/echo/x")[0] == 200


def test_a_part_of_another_version_is_the_whole(stack):
    path = "/document?rows=30&size=30000"
    part = {"Range": "bytes=5-9"}
    assert stack.call("GET", path, headers={**part, "If-Range": '"v1"'})[0] == 206
    status, _, body = stack.call("GET", path, headers={**part, "If-Range": '"v0"'})
    assert (status, body) == (200, whole(30, 30000))


@pytest.mark.parametrize("wrong", ["bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=", "bytes=-"])
def test_what_is_no_range_never_breaks_the_answer(stack, wrong):
    status, _, body = stack.call("GET", "/document?rows=30&size=30000", headers={"Range": wrong})
    assert (status, body == whole(30, 30000)) == (200, True) or status == 416


def test_several_parts_at_once_are_the_whole(stack):
    status, _, body = stack.call("GET", "/document?rows=30&size=30000", headers={"Range": "bytes=0-1,5-6"})
    assert (status, body) == (200, whole(30, 30000))


def test_a_download_that_breaks_off_again_and_again_arrives_whole(stack):
    rows, size, got, attempts = 100, 65536, b"", 0
    while len(got) < rows * size:
        attempts += 1
        connection = stack.connect()
        connection.request("GET", f"/document?rows={rows}&size={size}", headers={"Range": f"bytes={len(got)}-", "If-Range": '"v1"'})
        response = connection.getresponse()
        assert response.status == 206
        assert re.match(rf"bytes {len(got)}-", response.headers["Content-Range"])
        got += response.read(1_500_000)
        connection.sock.close()
        connection.close()
    assert (got == whole(rows, size), attempts) == (True, 5)


def test_what_is_not_said_to_come_in_parts_comes_whole(stack):
    status, headers, body = stack.call("GET", "/rows?rows=3&size=1000", headers={"Range": "bytes=0-1"})
    assert (status, headers["Accept-Ranges"], body) == (200, None, whole(3, 1000))
