"""Schemas: what goes over the wire, as models that describe it in the OpenAPI document.

No answer is built from them: the engine's own dataclasses are written as they are, and a test holds
the two against each other.
"""

from __future__ import annotations

from pydantic import BaseModel

from penchant.serve.http.schemas import catalogue, operating, people, shape, slates

MODELS: tuple[type[BaseModel], ...] = (
    shape.Problem,
    catalogue.Item,
    catalogue.User,
    catalogue.Link,
    catalogue.Event,
    catalogue.Counts,
    catalogue.Removed,
    people.Forgotten,
    people.Moved,
    slates.Slate,
    slates.RecommendRequest,
    slates.RankRequest,
    slates.BatchRequest,
    slates.BatchAnswer,
    people.Interests,
    people.Inquiries,
    people.AdjustRequest,
    people.Export,
    people.MergeRequest,
    catalogue.CatalogueItem,
    catalogue.CatalogueItems,
    slates.Explanations,
    operating.Training,
    operating.Snapshot,
    operating.Snapshots,
    operating.Experiments,
    operating.StopRequest,
    catalogue.Changed,
    operating.Status,
    operating.Live,
    operating.Ready,
)
"""Those that a route names; the ones inside them come with them."""
