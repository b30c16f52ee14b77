"""GET /reason/divisions behind a gateway with cells: what the client sees in all of them, each where it lives."""

import json
import time
import urllib.parse

import pytest

from cells import away_for_now, stalled, two_cells
from client import Refused
from wait import wait_for

NODE = {"type": "observation", "author": "probe", "payload": {"x": 1}}
AWAY = ["acme", "acme.2", "nn", "zz"]
HOME = ["acmea", "beta", "m", "default"]


@pytest.fixture(scope="module")
def cells():
    with two_cells() as both:
        home, away = both
        clients = {"both": "'writer', '{acme,beta}'", "elsewhere": "'writer', '{nn}'", "none": None}
        for name, rights in clients.items():
            home.certificate(name)
            for cell in both if name == "both" else (away,) if rights else ():
                with cell.database() as database:
                    database.execute(f"SELECT reason.set_client('{name}', {rights})")
        (home.run_dir / "gateway/cells/divisions.conf").write_text("".join(f'"{division}" cell_b;\n' for division in AWAY))
        home.reload()
        kernel = home.client()
        for division in AWAY + HOME:
            kernel.post(f"/d/{urllib.parse.quote(division)}/reason/node", NODE)
        # Records of a division that lives in the other cell, from before it was placed there: they are not told of.
        with home.database() as database:
            database.execute("SELECT reason.add_node('observation', '1', 'probe', division => 'zz')")
        for cell, sealed in ((home, [*HOME, "zz"]), (away, AWAY)):
            wait_for(lambda: cell_divisions(cell) >= set(sealed), 30)
        yield both


def cell_divisions(cell):
    with cell.database() as database:
        return {row[0] for row in database.execute("SELECT division FROM reason.chain_ends()")}


def listed(client, query=""):
    answer = client.get("/reason/divisions" + query)
    return answer, {one["division"]: one for one in answer["divisions"]}


def test_each_division_is_told_of_once_by_the_cell_where_it_lives(cells):
    answer, found = listed(cells[0].client())
    assert {name: one["cell"] for name, one in found.items() if name in AWAY + HOME} == {**dict.fromkeys(AWAY, "cell_b"), **dict.fromkeys(HOME, "reason")}
    names = [one["division"] for one in answer["divisions"]]
    assert names == sorted(names, key=str.encode) and len(names) == len(found)
    assert [one["division"] for one in answer["divisions"] if one["default"]] == ["default"]
    assert answer["client"]["name"] == "kernel" and answer["truncated"] is False and "incomplete" not in answer and "nextCursor" not in answer


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_pages_go_on_through_all_cells(cells, limit):
    client, pages, query = cells[0].client(), [], f"?limit={limit}"
    whole, _ = listed(client)
    while query:
        answer, _ = listed(client, query)
        assert len(answer["divisions"]) <= limit and answer["truncated"] == ("nextCursor" in answer)
        pages.append(answer)
        query = answer["truncated"] and f"?limit={limit}&cursor={urllib.parse.quote(answer['nextCursor'])}"
        assert len(pages) < 50
    assert [one["division"] for page in pages for one in page["divisions"]] == [one["division"] for one in whole["divisions"]]


def test_who_has_divisions_by_name_sees_each_where_the_map_says(cells):
    """Where it names none, its request goes to the default cell, where the first of its divisions is meant: that one lives elsewhere."""
    _, found = listed(cells[0].client("both"))
    assert {name: (one["cell"], one["default"]) for name, one in found.items()} == {"acme": ("cell_b", False), "beta": ("reason", False)}


def test_who_has_rights_in_one_cell_alone_sees_what_is_there(cells):
    answer, found = listed(cells[0].client("elsewhere"))
    assert set(found) == {"nn"} and answer["client"]["name"] == "elsewhere" and "incomplete" not in answer


def test_who_has_no_rights_is_refused_as_ever(cells):
    with pytest.raises(Refused) as caught:
        cells[0].client("none").get("/reason/divisions")
    with pytest.raises(Refused) as one:
        cells[0].client("none").get("/d/acme/reason/divisions")
    assert (caught.value.status, caught.value.body["code"]) == (one.value.status, one.value.body["code"]) == (403, "REASONING_GRAPH_FORBIDDEN")


@pytest.mark.parametrize("query", ["?cursor=", "?limit=0", "?limit=10001", "?limit=x", "?nosuch=1"])
def test_what_cannot_be_asked_is_refused_as_ever(cells, query):
    with pytest.raises(Refused) as caught:
        cells[0].client().get("/reason/divisions" + query)
    assert (caught.value.status, caught.value.body["code"]) == (400, "REASONING_GRAPH_BAD_REQUEST")


def test_a_division_that_is_named_is_told_of_by_its_cell_alone(cells):
    assert set(listed_one(cells[0], "/d/nn/reason/divisions")) == {"nn"}
    home = cells[0]
    clients = home.run_dir / "gateway/cells/clients.conf"
    try:
        clients.write_text('"~ elsewhere$" nn;\n')
        home.reload()
        assert set(listed_one(home, "/reason/divisions", "elsewhere")) == {"nn"}
    finally:
        clients.unlink()
        home.reload()


def listed_one(home, path, name="kernel"):
    return {one["division"]: one for one in home.client(name).get(path)["divisions"]}


def test_a_head_and_a_conditional_request_are_answered(cells):
    client = cells[0].client()
    client.connection.request("HEAD", "/reason/divisions")
    response = client.connection.getresponse()
    assert response.status == 200 and response.read() == b"" and int(response.headers["Content-Length"]) > 100
    assert response.headers["Cache-Control"] == "no-store" and response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/reason/divisions", "/d/acme/reason/divisions", "/health", "/ready"])
def test_conditions_are_met_or_refused_as_anywhere(cells, path):
    client = cells[0].client()
    for header, status in (("If-Match", 412), ("If-Unmodified-Since", 200), ("If-Modified-Since", 200), ("If-None-Match", 200), ("Range", 200)):
        value = {"Range": "bytes=0-3"}.get(header, "Tue, 01 Dec 2020 00:00:00 GMT" if "Since" in header else '"x"')
        client.connection.request("GET", path, headers={header: value})
        response = client.connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == status, (header, answer)
        assert status == 200 or set(answer) == {"error", "code", "requestId", "details"}
        assert response.headers.get("Connection") != "close"


def test_a_cell_that_is_down_is_missed_and_said_to_be(cells):
    home, away = cells
    with away_for_now(away):
        wait_for(lambda: json.loads(home.operations("/health")[1]).get("degraded") == ["cell_b"])
        began = time.monotonic()
        answer, found = listed(home.client())
        assert time.monotonic() - began < 3
        assert answer["incomplete"] is True and set(HOME) <= set(found) and not set(AWAY) & set(found)
        assert answer["client"]["name"] == "kernel"
    wait_for(lambda: "incomplete" not in listed(home.client())[0])


def test_a_cell_that_stalls_is_waited_for_a_little(cells):
    home, away = cells
    with stalled(away):
        began = time.monotonic()
        answer, _ = listed(home.client())
        assert answer["incomplete"] is True and 4 < time.monotonic() - began < 15
    wait_for(lambda: "incomplete" not in listed(home.client())[0])


def test_the_default_cell_may_be_the_one_that_is_down(cells):
    home, away = cells
    with away_for_now(home):
        wait_for(lambda: json.loads(home.operations("/health")[1]).get("degraded") == ["reason"])
        answer, found = listed(home.client())
        assert answer["incomplete"] is True and set(AWAY) <= set(found) and answer["client"]["name"] == "kernel"
        assert not any(one["default"] for one in found.values())
    wait_for(lambda: "incomplete" not in listed(home.client())[0])
