"""Routes that show the catalogue: what is held of items."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from penchant.serve.http import examples, parameters
from penchant.serve.http.call import Call
from penchant.serve.http.problems import Problem
from penchant.serve.http.reception import Reception, Route


async def item(reception: Reception, call: Call) -> Response:
    """Answer what is held of one item."""
    call.known("item_id")
    wanted = call.identity("item", of="item_id")

    def work() -> bytes:
        found = reception.engine.items([wanted])
        if not found:
            raise Problem(
                404, f"item {wanted!r:.80} is not in the catalogue; add it, or check the id"
            )
        return orjson.dumps(found[0])

    return await reception.answer(work)


async def items(reception: Reception, call: Call) -> Response:
    """Answer what is held of several items, in the order asked, without those nobody knows."""
    call.known("item_id")
    wanted = call.many("item_id")
    if not wanted:
        raise Problem(422, "expected item_id, once for each item, got none")
    return await reception.answer(lambda: orjson.dumps({"items": reception.engine.items(wanted)}))


SHOWN = (
    Route(
        method="GET",
        path="/items/{item}",
        scope="read",
        handler=item,
        summary="Show an item",
        about="What the catalogue holds of it; times are seconds since the epoch.",
        tag="catalogue",
        answer="CatalogueItem",
        example=examples.ITEM,
        parameters=(parameters.ITEM,),
        statuses=(404,),
    ),
    Route(
        method="GET",
        path="/items",
        scope="read",
        handler=items,
        summary="Show several items, the ids in the query",
        about="The same for several, in the order asked; those nobody knows are left out.",
        tag="catalogue",
        answer="CatalogueItems",
        example={"items": [examples.ITEM]},
        parameters=(parameters.WHICH,),
    ),
)
"""The routes of this file, for the contract."""
