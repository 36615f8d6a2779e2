"""An encoder and a head joined: texts in, answers out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.exported import META
from penchant.language.encoder.sentence import EncoderDamaged, SentenceEncoder
from penchant.language.encoder.weights import DEFAULT, sha256
from penchant.language.heads.folder import write
from penchant.language.heads.head import Head
from penchant.language.heads.predictions import Predictions
from penchant.types import Error, Floats, InvalidInput


class WrongEncoder(Error):
    """A head was joined with another encoder than the one that it was learned on."""


class Predictor:
    """Answers texts with the head `head` on the vectors of `encoder`; safe for threads.

    A text in which there is nothing to read is "unknown", not an error. Raises WrongEncoder where
    the head was learned on other vectors.
    """

    def __init__(self, encoder: Encoder, head: Head) -> None:
        if checked(encoder).id != head.encoder:
            raise WrongEncoder(
                f"expected the encoder {head.encoder}, that the head was learned on, got "
                f"{encoder.id}: the same vectors mean other things elsewhere. Open it with the "
                "model, precision and max_tokens of the learning, or learn the head again"
            )
        self.encoder = encoder
        self.head = head

    def predict(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Predictions:
        """Return the answers to `texts` in their order; for relevance, to pairs (query, text)."""
        return self.head.predict(self.vectors(texts))

    def vectors(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Floats:
        """Return the rows that the head reads of `texts`, float32[n, d]."""
        return vectors(self.encoder, texts, in_pairs=self.head.kind == "relevance")

    def save(self, folder: str | Path) -> None:
        """Write it to `folder`, in place of the head that was there, for `penchant.open_head`.

        An encoder that has a name is named; one that has none, a tuned one, is copied. Who reads
        meanwhile gets the head of before. InvalidInput where there is anything else than a head.
        """
        encoder = self.encoder.encoder if isinstance(self.encoder, CachedEncoder) else self.encoder
        described: dict[str, str | int] = {"id": encoder.id}
        copy = None
        if isinstance(encoder, SentenceEncoder):
            named = encoder.name == DEFAULT or encoder.name.count("/") == 1
            described |= {
                "model": encoder.name if named else "",
                "precision": encoder.precision,
                "max_tokens": encoder.max_tokens,
            }
            copy = None if named else partial(_copied, encoder)
        write(folder, *self.head.written(), described, copy)


def listed(found: Iterable[Any], what: str) -> list[Any]:
    """Return `found` as a list; InvalidInput for a string and what is no sequence of `what`."""
    # A string is a sequence of its letters, and a set has no order in which to answer.
    if isinstance(found, str | bytes | Set) or not isinstance(found, Iterable):
        shown = f"{found!r:.40}" if isinstance(found, str | bytes) else type(found).__name__
        raise InvalidInput(f"expected a list of {what}, got {shown}: pass a list, also of one")
    return list(found)


def checked(encoder: Any) -> Encoder:
    """Return `encoder` if it is one; InvalidInput otherwise."""
    if not callable(getattr(encoder, "encode", None)) or not hasattr(encoder, "id"):
        raise InvalidInput(
            "expected an encoder (with id, dimension and encode), for example SentenceEncoder.open"
            f"(), got {type(encoder).__name__} {encoder!r:.40}"
        )
    found: Encoder = encoder
    return found


def vectors(
    encoder: Encoder, texts: Sequence[str] | Sequence[tuple[str, str]], *, in_pairs: bool
) -> Floats:
    """Return float32[n, d] of texts, float32[n, 2 d] of pairs of texts. InvalidInput otherwise."""
    texts = listed(texts, "pairs (query, text)" if in_pairs else "texts")
    if not in_pairs:
        rows: Floats = encoder.encode(texts)
        return rows
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in texts):
        raise InvalidInput(
            "a head for relevance expects pairs (query, text), for example "
            '[("how long is delivery", "we deliver within two days")]'
        )
    flat = [side for pair in texts for side in pair]
    if not all(isinstance(text, str) for text in flat):
        encoder.encode(flat)  # says which one is no text
    # One query comes with many texts: each is encoded once.
    place = {text: n for n, text in enumerate(dict.fromkeys(flat))}
    each = encoder.encode(list(place))[[place[text] for text in flat]]
    return np.ascontiguousarray(each.reshape(-1, 2 * encoder.dimension))


def _copied(encoder: SentenceEncoder, target: Path) -> None:
    """Copy the files of an encoder that has no name: what opens it again."""
    try:
        meta = json.loads((encoder.folder / META).read_text(encoding="utf-8"))
        model = meta["models"][encoder.precision]
        for name in (model, "tokenizer.json"):
            shutil.copyfile(encoder.folder / name, target / name)
            if sha256([target / name]) != meta["sha256"][name]:
                raise ValueError(f"{name} is not the file that was exported")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderDamaged(
            f"the files of the encoder in {encoder.folder}, which is read with, cannot be copied "
            f"({type(error).__name__}: {error}): another save or a clean-up took them away; open "
            "the head again from where it was saved, or learn it again"
        ) from error
    # Of the precisions only the one that serves: the other is four times as large.
    meta["models"] = {encoder.precision: model}
    (target / META).write_text(json.dumps(meta, indent=1, sort_keys=True), encoding="utf-8")
