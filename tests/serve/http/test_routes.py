"""Every route does what the contract says, asked over a socket."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

import penchant
import world
from penchant.evaluate.experiment.measured import check
from penchant.serve.http.contract import routes

from .live import Live, served

# What the API promises; a route that is new or gone is a change of the contract.
CONTRACT = {
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "POST /v1/events",
    "DELETE /v1/events",
    "DELETE /v1/events/{event_id}",
    "POST /v1/items",
    "GET /v1/items",
    "GET /v1/items/{item}",
    "DELETE /v1/items",
    "DELETE /v1/items/{item}",
    "POST /v1/links",
    "POST /v1/users",
    "GET /v1/users",
    "DELETE /v1/users",
    "GET /v1/users/{user}",
    "DELETE /v1/users/{user}",
    "GET /v1/users/interests",
    "GET /v1/users/{user}/interests",
    "GET /v1/users/inquiries",
    "GET /v1/users/{user}/inquiries",
    "POST /v1/users/interests",
    "POST /v1/users/{user}/interests",
    "POST /v1/users/prospects",
    "POST /v1/users/{user}/prospects",
    "DELETE /v1/users/history",
    "DELETE /v1/users/{user}/history",
    "POST /v1/users/merge",
    "POST /v1/users/{user}/merge",
    "GET /v1/recommend",
    "POST /v1/recommend",
    "GET /v1/recommend/{user}",
    "POST /v1/recommend/{user}",
    "POST /v1/recommend:batch",
    "POST /v1/rank",
    "POST /v1/rank/{user}",
    "GET /v1/similar",
    "GET /v1/similar/{item}",
    "GET /v1/slates/{slate}/reasons",
    "GET /v1/train",
    "POST /v1/train",
    "GET /v1/snapshots",
    "POST /v1/snapshots/{snapshot}:activate",
    "GET /v1/experiments",
    "POST /v1/experiments/{experiment}/{variant}:stop",
    "POST /v1/experiments/{experiment}/{variant}:lift",
    "GET /v1/status",
}


def items(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [line["item_id"] for line in answer.json()["recommendations"]]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(orjson.dumps(row) for row in rows)


def test_the_routes_are_those_of_the_contract(client: httpx2.Client) -> None:
    assert {f"{one.method} {one.path}" for one in routes()} == CONTRACT
    paths = client.get("/openapi.json").json()["paths"]
    told = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert told == CONTRACT


def test_an_answer_is_that_of_the_engine(client: httpx2.Client, engine: penchant.Engine) -> None:
    answer = client.get("/v1/recommend/ann", params={"k": 4, "now": world.NOW}).json()
    slate = engine.recommend("ann", 4, now=world.NOW)
    assert answer.keys() == {"slate_id", "snapshot", "user_id", "now", "recommendations"}
    assert (answer["snapshot"], answer["user_id"], answer["now"]) == (
        slate.snapshot,
        "ann",
        world.NOW,
    )
    assert answer["recommendations"] == [
        {
            "item_id": line.item_id,
            "score": pytest.approx(line.score),
            "rank": line.rank,
            "reasons": [
                {"kind": r.kind, "name": r.name, "weight": r.weight, "item_id": r.item_id}
                for r in line.reasons
            ],
            "headline": "",
            "probability": line.probability,
            "value": line.value,
        }
        for line in slate
    ]


def test_all_forms_of_a_question_get_one_answer(client: httpx2.Client) -> None:
    asked: dict[str, Any] = {"k": 3, "now": world.NOW, "seen": "keep", "exclude": ["w1", "s1"]}
    inside = {**asked, "context": {"device": "tv", "hour": 20}}
    query = {**asked, "context[device]": "tv", "context[hour]": 20}
    forms = [
        client.get("/v1/recommend/ann", params=query),
        client.get("/v1/recommend", params={**query, "user_id": "ann"}),
        client.post("/v1/recommend/ann", json=inside),
        client.post("/v1/recommend", json={**inside, "user_id": "ann"}),
        client.post("/v1/recommend", params={"user_id": "ann"}, json=inside),
    ]
    assert len({tuple(items(one)) for one in forms}) == 1
    assert not {"w1", "s1"} & set(items(forms[0]))
    assert items(client.post("/v1/recommend/ann")) == items(client.get("/v1/recommend/ann"))
    iso = client.get("/v1/recommend/ann", params={"now": "2023-12-14T22:13:20Z"}).json()
    assert iso["now"] == world.NOW


def test_the_context_is_kept_as_it_was_meant(client: httpx2.Client) -> None:
    query = "context[device]=tv&context[hour]=20&context[zip]=00420&context[home]=true"
    asked = client.get(f"/v1/recommend/ann?{query}")
    assert asked.status_code == 200
    until = time.monotonic() + 5
    while not (shown := client.get("/v1/users/ann").json()["shown"]) and time.monotonic() < until:
        time.sleep(0.01)
    assert shown[-1]["slate_id"] == asked.json()["slate_id"]
    assert shown[-1]["context"] == {"device": "tv", "hour": 20, "zip": "00420", "home": True}


def test_a_visitor_is_known_by_a_history_alone(client: httpx2.Client) -> None:
    posted = client.post("/v1/recommend", json={"history": ["w1", "w2"], "k": 3})
    asked = client.get("/v1/recommend", params={"history": ["w1", "w2"], "k": 3})
    assert items(posted) == items(asked)
    assert posted.json()["user_id"] is None
    both = client.post("/v1/recommend", json={"history": ["w1"], "user_id": "ann"})
    neither = client.post("/v1/recommend", json={"k": 3})
    assert (both.status_code, neither.status_code) == (422, 422)
    assert "exactly one" in both.json()["detail"]


def test_where_and_words(client: httpx2.Client) -> None:
    space = client.get(
        "/v1/recommend/ann", params={"where": 'category == "space"', "text": "alien envoy", "k": 13}
    )
    assert set(items(space)) <= set(world.SPACE)
    assert items(space)
    wrong = client.get("/v1/recommend/ann", params={"where": "colour =="})
    assert wrong.status_code == 422
    assert "character" in wrong.json()["detail"]


def test_an_event_changes_the_next_answer(client: httpx2.Client) -> None:
    before = items(client.get("/v1/recommend/jo", params={"k": 5}))
    told = client.post("/v1/events", json={"user_id": "jo", "item_id": before[0]})
    assert told.json() == {"new": 1, "known": 0, "reasons": {}, "mapping": ""}
    after = items(client.get("/v1/recommend/jo", params={"k": 5}))
    assert before[0] not in after


def test_an_event_is_sent_twice_and_counted_once(client: httpx2.Client) -> None:
    event = {"user_id": "jo", "item_id": "w1", "event": "purchase", "value": 3, "event_id": "e/1"}
    assert client.post("/v1/events", json=event).json()["new"] == 1
    again = client.post("/v1/events", json=event).json()
    assert (again["new"], again["known"]) == (0, 1)
    assert client.delete("/v1/events/e%2F1").json() == {"removed": True}
    assert client.delete("/v1/events", params={"event_id": "e/1"}).json() == {"removed": False}
    assert client.get("/v1/users/jo").json()["events"] == []


def test_what_curl_says_of_its_data_is_no_matter(client: httpx2.Client) -> None:
    told = client.post(
        "/v1/events",
        content=b'{"user_id":"u1","item_id":"w1","event":"click"}',
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert told.json()["new"] == 1


@pytest.mark.parametrize("form", ["array", "lines"])
def test_of_many_the_bad_ones_are_kept_aside(client: httpx2.Client, form: str) -> None:
    rows = [
        {"user_id": "jo", "item_id": "w1"},
        {"user_id": "jo"},
        {"item_id": "w2"},
        {"user_id": "jo", "item_id": "w3", "value": "much"},
        {"user_id": "jo", "item_id": "w4", "timestamp": "yesterday"},
    ]
    if form == "array":
        told = client.post("/v1/events", json=rows)
    else:
        told = client.post(
            "/v1/events",
            content=lines(rows) + b"\n\n",
            headers={"Content-Type": "application/x-ndjson"},
        )
    assert told.status_code == 200, told.text
    counts = told.json()
    assert (counts["rows"], counts["new"], counts["quarantined"]) == (5, 1, 4)
    assert counts["reasons"] == {
        "item_id_missing": 1,
        "user_id_missing": 1,
        "value_unreadable": 1,
        "timestamp_unreadable": 1,
    }
    assert "user_id" in counts["mapping"]


def test_nothing_is_no_row(client: httpx2.Client) -> None:
    for path in ("events", "items", "users", "links"):
        told = client.post(f"/v1/{path}", json=[])
        assert told.status_code == 200
        assert {n for n in told.json().values() if isinstance(n, int)} == {0}


def test_an_item_is_recommendable_from_its_answer_on(client: httpx2.Client) -> None:
    item = {"item_id": "a/b c", "title": "A Rope for the Marshal II", "colour": "red"}
    assert client.post("/v1/items", json=item).json()["new"] == 1
    assert client.post("/v1/items", json=item).json()["same"] == 1
    red = client.get("/v1/recommend/ann", params={"where": 'attributes.colour == "red"', "k": 1})
    if red.status_code == 422:  # attributes are asked for by their own name
        red = client.get("/v1/recommend/ann", params={"where": 'colour == "red"', "k": 1})
    assert items(red) == ["a/b c"]
    assert client.delete("/v1/items/a%2Fb%20c").json() == {"removed": True}
    assert "a/b c" not in items(client.get("/v1/recommend/ann", params={"k": 20}))
    assert client.delete("/v1/items", params={"item_id": "a/b c"}).json() == {"removed": False}


def test_people_and_links(client: httpx2.Client) -> None:
    people = [{"user_id": "ann", "country": "NZ"}, {"user_id": "zoe", "country": "FR"}]
    counts = client.post("/v1/users", json=people).json()
    assert (counts["users_new"], counts["users_changed"]) == (1, 1)
    linked = client.post("/v1/links", json={"head": "ann", "relation": "knows", "tail": "zoe"})
    assert linked.json()["links_new"] == 1
    held = client.get("/v1/users/ann").json()
    assert held["attributes"] == {"country": "NZ"}
    assert held["links"] == [{"head": "ann", "relation": "knows", "tail": "zoe", "weight": 1.0}]
    bad = client.post("/v1/users", json=[{"country": "FR"}, {"user_id": "yan"}]).json()
    assert bad["reasons"] == {"users_user_id_missing": 1}


def test_a_person_is_exported_merged_and_forgotten(client: httpx2.Client) -> None:
    client.post("/v1/events", json={"user_id": "visitor 1", "item_id": "s6"})
    assert client.post("/v1/users/visitor%201/merge", json={"into": "jo"}).json() == {"moved": 1}
    held = client.get("/v1/users", params={"user_id": "jo"}).json()
    assert [event["item_id"] for event in held["events"]] == ["s6"]
    named = client.get("/v1/users/interests", params={"user_id": "jo"}).json()
    assert [one["name"] for one in named["interests"]] == ["space"]
    assert client.get("/v1/users/jo/interests").json() == named
    assert client.delete("/v1/users/jo").json() == {"removed": 1}
    assert client.delete("/v1/users", params={"user_id": "jo"}).json() == {"removed": 0}
    moved = client.post("/v1/users/merge", params={"user_id": "ann"}, json={"into": "zoe"})
    assert moved.json() == {"moved": len(world.HISTORIES["ann"])}
    assert client.post("/v1/users/ann/merge", json={}).status_code == 422


def test_interests_are_adjusted_and_items_withdrawn(client: httpx2.Client) -> None:
    path = "/v1/users/ann/interests"
    muted = client.post(path, json={"interest": "Western", "now": world.NOW}).json()
    (western,) = muted["interests"]
    assert (western["name"], western["adjusted"]) == ("western", "mute")
    shown = client.get("/v1/recommend/ann", params={"k": 20, "now": world.NOW + 1}).json()
    assert {one["item_id"][0] for one in shown["recommendations"]} == {"s"}
    named = {"params": {"user_id": "ann"}, "json": {"interest": "western", "to": "restore"}}
    assert client.post("/v1/users/interests", **named).json()["interests"][0]["adjusted"] == ""
    wrong = client.post(path, json={"interest": "westen"})
    assert wrong.status_code == 422
    assert "did you mean 'western'" in wrong.json()["detail"]
    assert client.post(path, json={"interest": "western", "to": "love"}).status_code == 422
    assert client.post(path, json={}).status_code == 422
    gone = client.delete("/v1/users/ann/history", params={"item_id": "w1"})
    assert gone.json() == {"removed": 1}
    both = {"user_id": "ann", "item_id": "w1"}
    assert client.delete("/v1/users/history", params=both).json() == {"removed": 0}
    assert client.delete("/v1/users/ann/history").status_code == 422
    assert client.delete("/v1/users/ann/history", params={"item_id": "x"}).status_code == 404


def test_what_to_ask_a_new_person(client: httpx2.Client) -> None:
    path, now = "/v1/users/new/inquiries", {"now": world.NOW}
    asked = client.get(path, params={"k": 3, **now}).json()
    assert asked["user_id"] == "new"
    items = [one["item_id"] for one in asked["inquiries"]]
    assert len(set(items)) == 3
    assert all(one["title"] and 0 <= one["likely"] <= 1 for one in asked["inquiries"])
    beside = client.get("/v1/users/inquiries", params={"user_id": "new", "k": 3, **now})
    assert beside.json() == asked
    again = client.get(path, params={"k": 3, "exclude": items, **now}).json()["inquiries"]
    assert not {one["item_id"] for one in again} & set(items)
    assert len(client.get(path, params=now).json()["inquiries"]) == 5
    assert client.get(path, params={"k": 21}).status_code == 422
    assert client.get(path, params={"k": "many"}).status_code == 422
    client.post("/v1/events", json={"user_id": "inquiries", "item_id": "w1"})
    assert len(client.get("/v1/users/inquiries").json()["events"]) == 1


def test_a_person_called_history(client: httpx2.Client) -> None:
    client.post("/v1/events", json={"user_id": "history", "item_id": "w1"})
    assert client.delete("/v1/users/history").json() == {"removed": 1}


def test_a_person_called_interests(client: httpx2.Client) -> None:
    client.post("/v1/events", json={"user_id": "interests", "item_id": "w1"})
    assert len(client.get("/v1/users/interests").json()["events"]) == 1
    assert client.get("/v1/users/interests/interests").json()["user_id"] == "interests"
    assert client.delete("/v1/users/interests").json() == {"removed": 1}


def test_a_list_is_put_in_order(client: httpx2.Client, engine: penchant.Engine) -> None:
    wanted = ["s1", "w6", "nobody knows it", "w1"]
    expected = [line.item_id for line in engine.rank("ann", wanted, now=world.NOW)]
    body = {"items": wanted, "now": world.NOW}
    assert items(client.post("/v1/rank/ann", json=body)) == expected
    assert items(client.post("/v1/rank", json={**body, "user_id": "ann"})) == expected
    assert items(client.post("/v1/rank", params={"user_id": "ann"}, json=body)) == expected
    visitor = client.post("/v1/rank", json={**body, "history": ["w1"]})
    assert sorted(items(visitor)) == sorted(wanted)
    assert client.post("/v1/rank/ann", json={}).status_code == 422


def test_many_people_at_once(client: httpx2.Client, engine: penchant.Engine) -> None:
    people = ["ann", "eve", "nobody", "ann"]
    answer = client.post(
        "/v1/recommend:batch", json={"user_ids": people, "k": 2, "now": world.NOW}
    ).json()
    assert [one["user_id"] for one in answer["slates"]] == people
    frame = engine.recommend_many(people, 2, now=world.NOW)
    assert [line["item_id"] for one in answer["slates"] for line in one["recommendations"]] == (
        frame["item_id"].to_list()
    )
    nothing = client.post("/v1/recommend:batch", json={"user_ids": []}).json()
    assert nothing == {"slates": []}
    for row in world.ITEMS:
        client.delete(f"/v1/items/{row}")
    empty = client.post("/v1/recommend:batch", json={"user_ids": ["ann", 7]}).json()
    assert empty == {
        "slates": [
            {"user_id": "ann", "recommendations": []},
            {"user_id": "7", "recommendations": []},
        ]
    }


def test_what_is_like_an_item(client: httpx2.Client, engine: penchant.Engine) -> None:
    alike = client.get("/v1/similar/w1", params={"k": 3, "now": world.NOW})
    assert items(alike) == [line.item_id for line in engine.similar("w1", 3, now=world.NOW)]
    assert alike.json()["user_id"] is None
    beside = client.get("/v1/similar", params={"item_id": "w1", "k": 3, "now": world.NOW})
    assert items(beside) == items(alike)
    unknown = client.get("/v1/similar/zzz")
    assert unknown.status_code == 404
    assert "not in the catalogue" in unknown.json()["detail"]


def test_why(client: httpx2.Client) -> None:
    slate = client.get("/v1/recommend/ann", params={"k": 3}).json()
    shown = [line["item_id"] for line in slate["recommendations"]]
    path = f"/v1/slates/{slate['slate_id']}/reasons"
    all_of_it = client.get(path).json()
    assert [one["item_id"] for one in all_of_it["explanations"]] == shown
    one = client.get(path, params={"item_id": shown[1]}).json()
    assert one["explanations"] == [all_of_it["explanations"][1]]
    assert one["explanations"][0]["sentence"]
    two = client.get(path, params={"item_id": shown[:2]}).json()
    assert two["explanations"] == all_of_it["explanations"][:2]
    assert client.get(path, params={"item_id": "zzz"}).status_code == 404
    gone = client.get("/v1/slates/0000/reasons")
    assert gone.status_code == 404
    assert "not known" in gone.json()["detail"]


def test_a_slate_that_is_not_logged_is_not_explained(client: httpx2.Client) -> None:
    slate = client.get("/v1/recommend/ann", params={"log": "false"}).json()
    assert client.get(f"/v1/slates/{slate['slate_id']}/reasons").status_code == 404


def test_training_is_asked_for(client: httpx2.Client) -> None:
    assert client.get("/v1/train").json()["state"] == "idle"
    asked = client.post("/v1/train")
    assert asked.status_code == 202
    assert asked.json()["state"] == "requested"
    assert client.get("/v1/train").json()["state"] == "requested"


def test_status_health_and_metrics(client: httpx2.Client, engine: penchant.Engine) -> None:
    status = client.get("/v1/status").json()
    assert status["version"] == penchant.__version__
    assert status["items"] == len(world.ITEMS)
    assert status["lag"] == 0
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready").json()
    assert ready == {"status": "ready", "snapshot": "untrained", "items": len(world.ITEMS)}
    client.get("/v1/recommend/a%2Fb")
    metrics = client.get("/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain")
    assert "/v1/recommend/{user}" in metrics.text
    assert "a/b" not in metrics.text
    page = client.get("/docs").text
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) == 3
    for part in parts:  # nothing comes from elsewhere
        assert part.startswith("/docs/static/")
        assert client.get(part).status_code == 200


def test_a_worker_that_stops_is_not_ready(live: Live, client: httpx2.Client) -> None:
    live.reception.stopping = True
    stopping = client.get("/health/ready")
    assert stopping.status_code == 503
    assert int(stopping.headers["Retry-After"]) >= 1
    assert client.get("/health/live").status_code == 200


def test_head_is_get_without_a_body(client: httpx2.Client) -> None:
    for path in ("/health/live", "/v1/recommend/ann"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_snapshots_are_listed_and_activated(own_shelf: Path) -> None:
    with penchant.open(own_shelf) as engine, served(engine) as live, live.client() as client:
        (only,) = client.get("/v1/snapshots").json()["snapshots"]
        assert only["current"]
        assert only.keys() == {"id", "created", "current", "ndcg", "events"}
        path = f"/v1/snapshots/{only['id']}:activate"
        assert client.post(path).json() == only
        unknown = client.post("/v1/snapshots/000009-000000000000:activate")
        assert unknown.status_code == 404
        assert only["id"] in unknown.json()["detail"]
        slate = client.get("/v1/recommend/ada").json()
        assert slate["snapshot"] == only["id"]
        why = client.get(f"/v1/slates/{slate['slate_id']}/reasons").json()
        assert len(why["explanations"]) == 10
        damaged = own_shelf / "snapshots" / only["id"] / "manifest.json"
        damaged.write_text("{}")
        assert client.get("/health/live").status_code == 200


def test_a_variant_is_stopped_by_hand_and_let_go(own_shelf: Path) -> None:
    toml = own_shelf / "penchant.toml"
    kept = toml.read_text(encoding="utf-8") if toml.exists() else ""
    more = "[experiments.doors.variants.closed]\nshare = 0.5\nrecommend = { opening = false }\n"
    toml.write_text(f"{kept}\n{more}", encoding="utf-8")
    with penchant.open(own_shelf) as engine, served(engine) as live, live.client() as client:
        check(engine._store, time.time())
        (found,) = client.get("/v1/experiments").json()["experiments"]
        assert (found["name"], found["state"], found["stops"]) == ("doors", "running", {})
        path = "/v1/experiments/doors/closed"
        assert client.post(f"{path}:stop", json={"why": "it is cold"}).json() == {"changed": True}
        assert client.post(f"{path}:stop").json() == {"changed": False}
        check(engine._store, time.time())
        (found,) = client.get("/v1/experiments").json()["experiments"]
        assert found["stops"]["closed"]["why"] == "it is cold"
        assert client.post(f"{path}:lift").json() == {"changed": True}
        for wrong in ("doors/control", "doors/ajar", "gates/closed"):
            answer = client.post(f"/v1/experiments/{wrong}:stop")
            assert answer.status_code == 404
            assert "there are" in answer.text or "it has" in answer.text
