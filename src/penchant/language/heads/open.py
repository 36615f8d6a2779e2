"""A head's folder opened: what `Predictor.save` and `Head.save` wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy.typing as npt

from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.heads.classes import ClassHead
from penchant.language.heads.folder import Named, read, steadily
from penchant.language.heads.head import Head
from penchant.language.heads.labels import LabelsHead
from penchant.language.heads.linear import HeadDamaged
from penchant.language.heads.predictions import Kind
from penchant.language.heads.predictor import Predictor, checked
from penchant.language.heads.relevance import RelevanceHead
from penchant.language.heads.value import ValueHead
from penchant.types import Error, InvalidInput

KINDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, npt.NDArray[Any]]], Head]] = {
    "class": ClassHead.read,
    "labels": LabelsHead.read,
    "value": ValueHead.read,
    "relevance": RelevanceHead.read,
}
assert set(KINDS) == set(get_args(Kind))


def open_head(folder: str | Path, *, encoder: Encoder | None = None, threads: int = 1) -> Predictor:
    """Return what answers texts with the head that was saved in `folder`.

    Its encoder is opened too, and exported first where that is due, unless `encoder` is given;
    `threads` is how many batches that encodes at once. Raises InvalidInput where there is no head,
    HeadDamaged where files are missing or were changed, WrongEncoder for other vectors than those
    of the learning, and what opening an encoder raises. Nothing of the learning is imported.
    """
    if encoder is not None:
        checked(encoder)
    return steadily(folder, lambda named: _joined(named, encoder, threads))


def read_head(folder: str | Path) -> Head:
    """Return the head that `Head.save` wrote, without an encoder."""
    return steadily(folder, _head)


def _head(named: Named) -> Head:
    content, arrays = read(named)
    try:
        return KINDS[content["kind"]](content, arrays)
    except Error:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HeadDamaged(
            f"{named.folder} is not a head that this version reads ({type(error).__name__}: "
            f"{error}): learn it again"
        ) from error


def _joined(named: Named, encoder: Encoder | None, threads: int) -> Predictor:
    if named.described is None:
        raise InvalidInput(
            f"{named.folder} holds a head without its encoder: open the folder that the predictor "
            "was saved to, or join read_head(folder) with an encoder"
        )
    head = _head(named)
    return Predictor(
        encoder if encoder is not None else _encoder(named, named.described, threads), head
    )


def _encoder(named: Named, path: Path, threads: int) -> Encoder:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        identity, model = content["id"], content.get("model")
        precision, most = content.get("precision"), content.get("max_tokens")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise HeadDamaged(
            f"{path} cannot be read ({type(error).__name__}: {error}): copy the folder again, or "
            "give encoder="
        ) from error
    if model is None:
        raise InvalidInput(
            f"the head in {named.folder} was learned on the encoder {identity}, which is not one "
            "that a folder can hold (an endpoint, supplied vectors): open it and give encoder="
        )
    if model:
        return SentenceEncoder.open(model, precision=precision, max_tokens=most, threads=threads)
    try:
        return SentenceEncoder(named.encoder, precision=precision, max_tokens=most, threads=threads)
    except (Error, OSError, KeyError) as error:
        # What an encoder says of itself, to delete it, would lose the only copy of tuned weights.
        raise HeadDamaged(
            f"the encoder of the head, {named.encoder}, has files that are missing or damaged: "
            f"copy the folder of the head again, all of {named.folder}; delete nothing, no other "
            "place has these weights"
        ) from error
