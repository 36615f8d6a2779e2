"""Column names of other systems mean the canonical ones; what is ambiguous is never guessed."""

from __future__ import annotations

import pytest

from penchant.ingest.columns import ALIASES, implied_event, match, require, squeeze
from penchant.types import InvalidInput

SYSTEMS = {
    "recommenders": ["userID", "itemID", "rating", "timestamp"],
    "aws": ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE"],
    "gorse": ["UserId", "ItemId", "FeedbackType", "Value", "Timestamp"],
    "replay": ["query_id", "item_id", "timestamp", "rating"],
    "rectools": ["user_id", "item_id", "weight", "datetime"],
    "recbole": ["user_id:token", "item_id:token", "rating:float", "timestamp:float"],
    "movielens": ["userId", "movieId", "rating", "timestamp"],
    "amazon": ["reviewerID", "asin", "overall", "unixReviewTime", "reviewText", "reviewTime"],
    "retailrocket": ["timestamp", "visitorid", "event", "itemid", "transactionid"],
    "shop": ["customer_id", "sku", "quantity", "date"],
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_events_of_other_systems_are_understood(system: str) -> None:
    columns = match(SYSTEMS[system], "events")
    assert {"user_id", "item_id", "timestamp"} <= columns.source.keys()
    assert {"value", "event"} & columns.source.keys()
    used = set(columns.source.values())
    assert used.isdisjoint(columns.extras)
    assert used | set(columns.extras) == set(SYSTEMS[system])


def test_the_canonical_name_wins_and_the_others_become_context() -> None:
    columns = match(["user_id", "item_id", "event", "action", "timestamp", "date"], "events")
    assert columns.source["event"] == "event"
    assert columns.extras == ("action", "date")


def test_two_columns_that_claim_one_name_are_both_named() -> None:
    with pytest.raises(InvalidInput, match="'rating' and 'quantity' claim it"):
        match(["user_id", "item_id", "rating", "quantity"], "events")
    with pytest.raises(InvalidInput, match="'userID' and 'USER_ID'"):
        match(["userID", "USER_ID", "item_id"], "events")


def test_a_given_mapping_settles_what_names_do_not() -> None:
    given = {"value": "quantity"}
    columns = match(["user_id", "item_id", "rating", "quantity"], "events", given)
    assert columns.source["value"] == "quantity"
    assert columns.extras == ("rating",)
    assert implied_event(columns.source) == "purchase"


@pytest.mark.parametrize("given", [{"value": "stars"}, {"price": "rating"}])
def test_a_given_mapping_that_does_not_fit_is_an_error(given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="columns="):
        match(["user_id", "item_id", "rating"], "events", given)


def test_what_is_assumed_is_printed() -> None:
    columns = match(["userId", "movieId", "rating", "device:token"], "events")
    shown = str(columns)
    for part in ("user_id", "<- userId", "<- movieId", "context", "device", "is a 'rating'"):
        assert part in shown
    assert columns.renamed == {"device:token": "device"}


def test_items_users_and_links_have_aliases_of_their_own() -> None:
    items = match(["movieId", "title", "genres", "release_date", "year", "cost"], "items")
    assert items.source == {
        "item_id": "movieId",
        "title": "title",
        "tags": "genres",
        "price": "cost",
        "released": "release_date",
    }
    assert items.extras == ("year",)
    assert match(["id", "age"], "users").source == {"user_id": "id"}
    links = match(["head_id:token", "relation_id:token", "tail_id:token"], "links")
    assert list(links.source) == ["head", "relation", "tail"]


def test_a_missing_column_is_an_error_that_lists_what_came() -> None:
    columns = match(["who", "what"], "events")
    with pytest.raises(InvalidInput, match=r"'user_id'.*'who', 'what'"):
        require(columns, "user_id", present=["who", "what"])


@pytest.mark.parametrize("table", ALIASES)
def test_no_alias_means_two_things(table: str) -> None:
    seen: dict[str, str] = {}
    for name, squeezed in ALIASES[table].items():
        assert squeeze(name) in squeezed.split()
        for alias in squeezed.split():
            assert alias == squeeze(alias)
            assert seen.setdefault(alias, name) == name
