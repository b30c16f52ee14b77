"""Answers that are no text, such as tiles of the log and archives, come from PostgreSQL as hexadecimal digits."""

import pytest


def expected(rows, size):
    return b"".join(bytes((n + k) % 256 for k in range(1, size + 1)) for n in range(rows))


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (1, 256), (1, 8192), (3, 40_000), (9, 131_072), (1, 1_000_000)])
def test_every_byte_arrives(stack, rows, size):
    status, headers, body = stack.call("GET", f"/bytes?rows={rows}&size={size}")
    assert (status, headers["Content-Type"], headers["X-Reason-Body"]) == (200, "application/octet-stream", None)
    assert body == expected(rows, size)
    if rows * size < 262_144:
        assert int(headers["Content-Length"]) == rows * size
    status, headers, body = stack.call("HEAD", f"/bytes?rows={rows}&size={size}")
    assert (status, int(headers["Content-Length"]), body) == (200, rows * size, b"")


@pytest.mark.parametrize("digits", ["0", "0g", "00zz", "abc"])
def test_what_is_no_digits_is_an_error_of_ours(stack, digits):
    status, error = stack.json("GET", f"/bytes?rows=1&size=1&digits={digits}")
    assert (status, error["code"]) == (500, "REASONING_GRAPH_INTERNAL")
    assert stack.call("GET", "/bytes?rows=1&size=3")[2] == b"\x01\x02\x03"
