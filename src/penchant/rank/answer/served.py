"""What a request is answered from: a folder of learned things, over the catalogue as it is now.

A snapshot knows the texts of its day. What came or changed since gets the text vector, and in every
network on texts the row, that the snapshot would have given it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from penchant.interests.concepts import Concepts, Learned
from penchant.interests.context.crowd import Crowd
from penchant.interests.context.schema import Schema
from penchant.interests.elicitation import Elicitation
from penchant.interests.expansion.ground import Ground
from penchant.interests.graph import Graph
from penchant.language.categories import KNOWN, Categories, Derived
from penchant.language.encoder.encoder import Encoder
from penchant.language.projection import Layout
from penchant.language.whitening import Whitening
from penchant.rank.circumstances import Circumstances
from penchant.rank.feedback.feedback import Feedback
from penchant.rank.pipeline import Pipeline, load_pipeline
from penchant.rank.rerankers.listwise import Listwise, Orders
from penchant.rank.rerankers.widening import Places
from penchant.rank.response import Response
from penchant.recall.assemble import RecallPlan, assemble
from penchant.recall.contextual import Contextual
from penchant.recall.expansion import Expansion, Read
from penchant.recall.pairing import Recent
from penchant.recall.popularity import Popularity
from penchant.recall.sequence import Sequence as SequenceSource
from penchant.recall.source import Source
from penchant.recall.text import Text
from penchant.store.artefacts import Artefacts
from penchant.store.columns import ItemColumns
from penchant.store.vectors import Vectors
from penchant.types import Error, Floats, Ids


@dataclass(frozen=True, eq=False)
class Served:
    """What a request is answered from. Its parts grow with the store; a new snapshot is a new one.

    A request holds on to one of these, so that what it reads fits together to its end.
    """

    snapshot: str
    columns: ItemColumns
    vectors: Vectors
    pipeline: Pipeline
    whitening: Whitening | None
    encoder: Encoder | None
    feedback: Feedback | None = None
    derived: Derived | None = None
    concepts: Concepts = field(default_factory=lambda: Concepts(ItemColumns()))
    graph: Graph | None = None
    places: Places | None = None
    elicitation: Elicitation | None = None
    listwise: Listwise | None = None
    here: Circumstances | None = None
    response: Response | None = None

    def words(self, text: str | None) -> Floats | None:
        """Return what the encoder makes of what somebody said, None where it says nothing.

        Words in a script that the encoder does not read say nothing, nor do those that cannot be
        encoded now (an endpoint that is down): the rest of the question is answered.
        """
        if text is None or not text.strip() or self.encoder is None or not self.vectors.dimension:
            return None
        if not self.encoder.reads(text):
            return None
        try:
            vector: Floats = self.encoder.encode([text])[0]
        except Error:
            return None
        return vector if bool(vector.any()) else None

    def ground(self) -> Ground:
        """Return what expansions of this snapshot stand on."""
        return Ground(
            self.snapshot,
            self.columns,
            self.concepts,
            self.graph,
            self.vectors,
            self.encoder,
            self.whitening,
        )

    def _width(self, raw: Floats) -> int:
        """Return how many numbers of a raw row are of the text."""
        if self.whitening is not None:
            return len(self.whitening.mean)
        return raw.shape[1] if self.encoder is None else self.encoder.dimension

    def learn_items(self, numbers: Ids, raw: Floats) -> None:
        """Give items their text vector, and with it a place in every source that reads texts.

        `raw` float32[len(numbers), d] is what the encoder made of their texts; rows of zeros or NaN
        are items without a text. What items are beside their text may follow. What is known already
        is not kept twice: each row costs in every answer.
        """
        raw = raw.astype(np.float32)
        text = raw[:, : self._width(raw)]
        text[np.abs(text).max(axis=1) == 0] = np.nan
        if self.derived is not None:
            self.derived.learn(numbers, text)
        rows = text if self.whitening is None else self.whitening(text)
        self.concepts.learn_items(numbers, rows)
        fresh = self.vectors.differ(numbers, rows)
        for source in self.pipeline.recall.sources:
            if isinstance(source, SequenceSource | Contextual):
                source.learn_items(numbers[fresh], rows[fresh])
            elif isinstance(source, Text) and source.vectors is not self.vectors:
                source.learn_items(numbers, raw)
        self.vectors.set(numbers[fresh], rows[fresh])


def load(
    folder: Artefacts,
    snapshot: str,
    *,
    columns: ItemColumns,
    popularity: Popularity,
    recent: Recent,
    texts: bool,
    encoder: Encoder | None = None,
    worded: Sequence[Source] = (),
    feedback: Callable[[Vectors], Feedback] | None = None,
    layout: Layout = (),
    expansions: Read | None = None,
    orders: Orders | None = None,
) -> Served:
    """Return what the folder of `snapshot` answers with, over the catalogue of `columns`.

    `texts` says whether texts are read at all: without, the vectors of the folder stay closed.
    `layout` names the parts of raw rows where items are more than their text. `feedback` opens what
    follows the answers to slates, in the space of these vectors; `expansions` reads what people may
    come to like; `orders` is who puts slates into another order.
    """
    whitening, vectors = None, Vectors()
    if texts and folder.has("text.mean.npy"):
        mean, matrix = (np.asarray(folder.array(f"text.{part}")) for part in ("mean", "matrix"))
        whitening, vectors = Whitening(mean, matrix), Vectors(folder.array("text.vectors"))
    concepts = Concepts(columns, Learned.load(folder))
    live, places = None, None
    if expansions is not None:
        live = Expansion(expansions, concepts, vectors, popularity, snapshot)
        places = live.places
    recall = assemble(
        folder,
        RecallPlan.load(folder),
        popularity=popularity,
        columns=columns,
        vectors=vectors,
        place=whitening,
        layout=layout,
        recent=recent,
        worded=worded,
        live=() if live is None else (live,),
    )
    told = None if feedback is None else feedback(vectors)
    model = Categories.load(folder) if texts else None
    known = np.asarray(folder.array(KNOWN)) if model is not None else None
    derived = Derived(columns, model, known)
    graph = Graph.load(folder)
    listwise = None
    if orders is not None:
        ground = Ground(snapshot, columns, concepts, graph, vectors, encoder, whitening)
        listwise = Listwise(orders, ground)
    schema, here = Schema.load(folder), None
    if schema is not None:
        here = Circumstances(Crowd.load(folder, schema, columns), columns, vectors, derived)
    pipeline = load_pipeline(
        folder,
        recall,
        columns,
        vectors,
        feedback=told,
        derived=derived,
        places=places,
        listwise=listwise,
        here=here,
    )
    return Served(
        snapshot,
        columns,
        vectors,
        pipeline,
        whitening,
        encoder,
        told,
        derived,
        concepts,
        graph,
        places,
        Elicitation.load(folder),
        listwise,
        here,
        Response.load(folder, derived),
    )
