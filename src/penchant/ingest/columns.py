"""Which column of a table means what: the names other systems use, mapped to the canonical ones.

A name is compared without case, punctuation and typed header, so that `userID`, `USER_ID`,
`user id` and RecBole's `user_id:token` are one. The canonical spelling always wins; two other
columns that claim the same name are an error, never a guess. The mapping is returned to be printed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from penchant.types import InvalidInput

_ITEM_ID = (
    "itemid item iid asin movieid sku productid articleid newsid stockcode isbn bookid trackid "
    "songid artistid videoid showid appid postid contentid documentid docid goodsid businessid "
    "gameid recipeid courseid jobid hotelid offerid listingid venueid poiid eventitemid"
)
_USER_ID = (
    "userid user uid userkey queryid visitorid visitor reviewerid customerid customer clientid "
    "personid memberid accountid profileid viewerid readerid listenerid subscriberid shopperid"
)

ALIASES: Mapping[str, Mapping[str, str]] = {
    "events": {
        "user_id": _USER_ID,
        "item_id": _ITEM_ID,
        "timestamp": (
            "timestamp datetime date time ts when unixreviewtime unixtime unixtimestamp eventtime "
            "eventdate createdat created occurredat orderdate invoicedate purchasedate ratedat "
            "playedat clickedat clicktime datetimeutc timestampms tsms"
        ),
        "event": (
            "event eventtype eventname feedbacktype type action actiontype kind interaction "
            "interactiontype behavior behaviour behaviortype behaviourtype activity"
        ),
        "value": (
            "value eventvalue rating weight score quantity qty stars starrating overall strength "
            "dwell watchtime listentime playcount listencount count"
        ),
        "event_id": "eventid",
        "slate_id": "slateid recommendationid recid impressionid rankingid",
        "text": "text query searchquery searchterm searchtext reviewtext review comment",
        "context": "context",
    },
    "items": {
        "item_id": _ITEM_ID + " id",
        "title": "title name itemname itemtitle productname producttitle movietitle headline",
        "description": (
            "description desc itemdescription productdescription longdescription abstract summary "
            "overview synopsis plot body text content details"
        ),
        "category": (
            "category categories categorypath categoryname categoryl1 maincategory itemcategory "
            "productcategory producttype department section genre"
        ),
        "tags": "tags tag genres keywords labels class topics themes",
        "price": "price unitprice listprice itemprice cost",
        "released": (
            "released releasedate releasedat timestamp datetime date created createdat "
            "creationtimestamp publishedat publicationdate publishdate pubdate addedat"
        ),
        "stock_from": "stockfrom availablefrom validfrom startdate",
        "stock_until": (
            "stockuntil availableuntil validuntil expires expiresat expiry expirationdate enddate"
        ),
        "attributes": "attributes",
    },
    "users": {"user_id": _USER_ID + " id", "attributes": "attributes"},
    "links": {
        "head": "head headid subject source src from",
        "relation": "relation relationid relationtype predicate edge type label",
        "tail": "tail tailid object target dst to",
        "weight": "weight value score strength",
    },
}
"""For each table the canonical columns, in order, with every squeezed name that means them."""

# What a table is about where it has no column that says so.
IMPLIED_EVENT = {
    **dict.fromkeys(("rating", "stars", "starrating", "overall", "score"), "rating"),
    **dict.fromkeys(("quantity", "qty"), "purchase"),
    "dwell": "dwell",
    "watchtime": "watch_time",
    "listentime": "listen_time",
    "playcount": "play_count",
    "listencount": "listen_count",
}

_TYPED = re.compile(r":(token|token_seq|float|float_seq)$")


@dataclass(frozen=True, slots=True)
class Columns:
    """The mapping that was assumed: canonical name -> column of the source, and the rest.

    `extras` are the columns that go, under the names in `renamed`, to context or attributes.
    `sequences` are those that a typed header calls a sequence separated by spaces.
    """

    table: str
    source: Mapping[str, str]
    extras: tuple[str, ...] = ()
    sequences: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.table}:"]
        lines += [f"  {name:<12} <- {column}" for name, column in self.source.items()]
        if self.extras:
            into = {"events": "context", "links": "(left out)"}.get(self.table, "attributes")
            lines.append(f"  {into:<12} <- {', '.join(self.extras)}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def squeeze(name: str) -> str:
    """Return a column name without case, punctuation and RecBole type: `USER_ID` -> `userid`."""
    return re.sub(r"[\W_]+", "", _TYPED.sub("", name.strip())).lower()


def match(present: Sequence[str], table: str, given: Mapping[str, str] | None = None) -> Columns:
    """Return which of the `present` columns is which canonical column of `table`.

    `given` (canonical -> present) settles what the names do not. Two columns that claim one name,
    a given column that is not there, and names nobody knows raise InvalidInput.
    """
    canonical = ALIASES[table]
    given = dict(given or {})
    _check_given(given, canonical, present, table)
    taken = set(given.values())
    claims: dict[str, list[str]] = {}
    for column in present:
        if column in taken:
            continue
        for name, squeezed in canonical.items():
            if name not in given and squeeze(column) in squeezed.split():
                claims.setdefault(name, []).append(column)
    source: dict[str, str] = {}
    for name in canonical:
        if name in given:
            source[name] = given[name]
        elif name in claims:
            source[name] = _winner(name, claims[name], table)
    used = set(source.values())
    extras = tuple(c for c in present if c not in used)
    return Columns(
        table=table,
        source=source,
        extras=extras,
        sequences=frozenset(c for c in present if c.strip().endswith("_seq")),
        notes=tuple(_notes(table, source)),
        renamed={c: _TYPED.sub("", c.strip()) for c in extras},
    )


def _check_given(
    given: Mapping[str, str], canonical: Iterable[str], present: Sequence[str], table: str
) -> None:
    """Raise InvalidInput where a mapping given by the caller does not fit the table."""
    for name, column in given.items():
        if name not in canonical:
            raise InvalidInput(
                f"columns= names {name!r}, which is no column of {table}; "
                f"those are {', '.join(canonical)}"
            )
        if column not in present:
            raise InvalidInput(
                f"columns= takes {name!r} from {column!r}, which is not there; "
                f"the columns are {', '.join(map(repr, present))}"
            )


def _winner(name: str, columns: list[str], table: str) -> str:
    """Return the one column that is `name`: the canonical spelling, or the only claim."""
    exact = [c for c in columns if _TYPED.sub("", c.strip()) == name]
    if not exact:
        exact = [c for c in columns if squeeze(c) == squeeze(name)]
    if len(exact) == 1:
        return exact[0]
    if len(columns) == 1:
        return columns[0]
    both = exact or columns
    raise InvalidInput(
        f"expected one column for {name!r} of the {table}, but {' and '.join(map(repr, both))} "
        f"claim it; say which with columns={{{name!r}: {both[0]!r}}}, or rename one of them"
    )


def merge(shapes: Collection[Columns], table: str) -> Columns:
    """Return the mappings of rows of several shapes as one, to be printed."""
    if not shapes:
        return Columns(table, {})
    source: dict[str, str] = {}
    extras: dict[str, None] = {}
    notes: dict[str, None] = {}
    for shape in shapes:
        for name, column in shape.source.items():
            source.setdefault(name, column)
        extras.update(dict.fromkeys(shape.extras))
        notes.update(dict.fromkeys(shape.notes))
    return replace(next(iter(shapes)), source=source, extras=tuple(extras), notes=tuple(notes))


def _notes(table: str, source: Mapping[str, str]) -> Iterable[str]:
    """Return what is assumed where a column is absent, as sentences."""
    if table == "events" and "event" not in source:
        yield f"no column says what happened: every event is a {implied_event(source)!r}"
    if table == "links" and "relation" not in source:
        yield "no column names the relation: every link is 'related'"


def implied_event(source: Mapping[str, str]) -> str:
    """Return the kind of every event of a table without a column for it, from its value column."""
    return IMPLIED_EVENT.get(squeeze(source.get("value", "")), "click")


def require(columns: Columns, *names: str, present: Sequence[str]) -> None:
    """Raise InvalidInput unless at least one of `names` has a column."""
    if any(name in columns.source for name in names):
        return
    wanted = " or ".join(repr(n) for n in names)
    raise InvalidInput(
        f"expected a column for {wanted} of the {columns.table}, got "
        f"{', '.join(map(repr, present)) or 'no columns'}; rename one, or say which it is with "
        f"columns={{{names[0]!r}: ...}}"
    )
