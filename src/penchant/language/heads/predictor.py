"""An encoder and a head joined: texts in, answers out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from penchant.language.encoder.cache import CachedEncoder
from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import DEFAULT
from penchant.language.heads.folder import whole
from penchant.language.heads.head import Head
from penchant.language.heads.predictions import Predictions
from penchant.types import Error, Floats, InvalidInput

HEAD, ENCODER = "head", "encoder"


class WrongEncoder(Error):
    """A head was joined with another encoder than the one that it was learned on."""


class Predictor:
    """Answers texts with the head `head` on the vectors of `encoder`; safe for threads.

    A text in which there is nothing to read is "unknown", not an error. Raises WrongEncoder where
    the head was learned on other vectors.
    """

    def __init__(self, encoder: Encoder, head: Head) -> None:
        if encoder.id != head.encoder:
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
        """Write it to `folder`, in place of what was there, for `penchant.open_head`.

        An encoder that has a name is named; one that has none, a tuned one, is copied.
        """
        encoder = self.encoder.encoder if isinstance(self.encoder, CachedEncoder) else self.encoder
        content: dict[str, str | int] = {"id": encoder.id}
        with whole(Path(folder)) as partial:
            if isinstance(encoder, SentenceEncoder):
                content |= _described(encoder, partial)
            (partial / f"{ENCODER}.json").write_text(json.dumps(content, indent=1))
            self.head.save(partial / HEAD)


def vectors(
    encoder: Encoder, texts: Sequence[str] | Sequence[tuple[str, str]], *, in_pairs: bool
) -> Floats:
    """Return float32[n, d] of texts, float32[n, 2 d] of pairs of texts. InvalidInput otherwise."""
    if not in_pairs:
        rows: Floats = encoder.encode(texts)  # type: ignore[arg-type]
        return rows
    if isinstance(texts, str | bytes) or not all(
        isinstance(pair, tuple | list) and len(pair) == 2 for pair in texts
    ):
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


def _described(encoder: SentenceEncoder, folder: Path) -> dict[str, str | int]:
    """Return what opens the encoder again; copies its files to `folder` where it has no name."""
    named = encoder.name == DEFAULT or encoder.name.count("/") == 1
    if not named:
        target = folder / ENCODER
        target.mkdir()
        meta = json.loads((encoder.folder / "meta.json").read_text(encoding="utf-8"))
        # Of the precisions only the one that serves: the other is four times as large.
        meta["models"] = {encoder.precision: meta["models"][encoder.precision]}
        for name in (meta["models"][encoder.precision], "tokenizer.json"):
            shutil.copy(encoder.folder / name, target / name)
        (target / "meta.json").write_text(json.dumps(meta, indent=1, sort_keys=True))
    return {
        "model": encoder.name if named else "",
        "precision": encoder.precision,
        "max_tokens": encoder.max_tokens,
    }
