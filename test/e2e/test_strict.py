"""No route takes parameters that it does not know, or bodies that are no objects."""

import json
import urllib.error
import urllib.request

import pytest

from client import Refused


@pytest.mark.parametrize("method_path", ["GET /reason/signers", "GET /reason/node/{}", "GET /reason/node/{}/explain", "GET /reason/node/{}/impact", "GET /reason/trace/{}", "GET /reason/traces/{}",
                                         "GET /reason/{}", "GET /reason/snapshot/{}", "GET /reason/snapshot/{}/verify", "GET /reason/export/{}", "GET /reason/diff",
                                         "POST /reason/node", "POST /reason/edge", "POST /nodes", "POST /edges", "POST /reason/annotate/{}",
                                         "POST /reason/query", "POST /reason/snapshot", "GET /health", "GET /ready", "GET /reason/openapi.json"])
def test_a_parameter_that_is_not_known_is_400_on_every_route(kernel, random_id, method_path):
    method, path = method_path.split()
    with pytest.raises(Refused) as caught:
        kernel.call(method, path.format(random_id()) + "?nonsense=1", b"{}" if method == "POST" else None)
    assert (caught.value.status, caught.value.body["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST")


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_nor_is_one_taken_on_the_operations_port(stack, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(stack.env["REASON_OPS_URL"] + path + "?nonsense=1", timeout=10)
    assert (caught.value.code, json.load(caught.value)["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST")


@pytest.mark.parametrize("path, name", [("/reason/trace/{}?depth=1&limit=5&depth=2", "depth"), ("/reason/node/{}?division=a&division=b", "division"), ("/reason/node/{}/explain?as%4ff=x&asOf=", "asOf"),
                                        ("/reason/{}?limit=1&limit=1", "limit"), ("/reason/export/{}?format=json&format=human", "format"), ("/reason/diff?a=x&b=y&a=z", "a"),
                                        ("/reason/snapshot/{}?format=metadata&format=canonical", "format")])
def test_a_parameter_that_is_given_twice_is_400(reader, random_id, refused, path, name):
    status, error = refused(reader.call, "GET", path.format(random_id()))
    assert status == 400
    assert error["error"] == f'parameter "{name}" is given more than once'


@pytest.mark.parametrize("path", ["/reason/node", "/reason/edge", "/nodes", "/edges", "/reason/query", "/reason/snapshot"])
@pytest.mark.parametrize("body", [b"", b"5", b"null", b"[]", b'"x"', b"true"])
def test_a_body_that_is_no_object_is_told_so(kernel, refused, path, body):
    status, error = refused(kernel.call, "POST", path, body)
    assert status == 400
    assert "body" in error["error"], error["error"]
