"""`penchant.learn_head`: labelled texts in, what answers texts out."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.language.encoder.encoder import Encoder
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.encoder.weights import DEFAULT
from penchant.language.heads.head import Head
from penchant.language.heads.predictions import Kind
from penchant.language.heads.predictor import Predictor, checked, listed, vectors
from penchant.learn.heads.config import HeadConfig, TunedConfig
from penchant.learn.requirements import MissingLibrary
from penchant.types import Floats, InvalidInput

KINDS = ("class", "labels", "value", "relevance")


def learn_head(
    texts: Sequence[str] | Sequence[tuple[str, str]],
    labels: Sequence[Any],
    kind: Kind = "class",
    *,
    encoder: Encoder | str | Path = DEFAULT,
    unlabelled: Sequence[str] = (),
    tuned: bool | TunedConfig = False,
    work: str | Path | None = None,
    config: HeadConfig | None = None,
    threads: int = 1,
) -> Predictor:
    """Return what answers texts as `labels` say: `predict(texts)`, `save(folder)`.

    `kind` is what a label is: "class" a word, "labels" a set of words, "value" a number,
    "relevance" whether the text of a pair (query, text) answers the query. `encoder` is one, or the
    model of one (a folder, a package, a hub id). `unlabelled` are texts to learn from without
    labels, of a class only; they are taken where held-out labels say that it pays. `tuned` tunes
    the encoder itself, of a class only: minutes instead of seconds; what it makes lies in `work`
    (needed to go on after a kill), else in a folder that is gone with the process. `head.learned`
    says what was measured on held-out texts, and as "problem" what ended a tuning early. Needs the
    extra `train`. Raises InvalidInput, and what opening an encoder raises.
    """
    if kind not in KINDS:
        raise InvalidInput(f"kind is one of {KINDS}, got {kind!r}")
    _refuse(tuned, work, config)
    texts = listed(texts, "texts")
    labels, unlabelled = listed(labels, "labels"), listed(unlabelled, "texts")
    if kind != "class" and (tuned or unlabelled):
        raise InvalidInput(
            f"tuned= and unlabelled= are for kind 'class', got {kind!r}: leave them out"
        )
    _need(bool(tuned))
    if len(texts) != len(labels):
        raise InvalidInput(f"{len(texts)} texts came with {len(labels)} labels; one each is needed")
    if not texts:
        raise InvalidInput("expected texts with their labels, got none")
    if tuned:
        return _tuned(texts, labels, encoder, unlabelled, tuned, work, config, threads)
    if isinstance(encoder, str | Path):
        encoder = SentenceEncoder.open(encoder, threads=threads)
    encoder = checked(encoder)
    rows = vectors(encoder, texts, in_pairs=kind == "relevance")
    more = encoder.encode(unlabelled) if unlabelled else None
    queries = [pair[0] for pair in texts] if kind == "relevance" else None
    return Predictor(encoder, _learned(kind, rows, labels, encoder.id, config, more, queries))


def _learned(
    kind: Kind,
    rows: Floats,
    labels: list[Any],
    encoder: str,
    config: HeadConfig | None,
    unlabelled: Floats | None,
    queries: Sequence[str] | None,
) -> Head:
    # Each imports scikit-learn or scipy: only the one that is asked for.
    if kind == "class":
        from penchant.learn.heads.classes import learn_classes

        return learn_classes(rows, labels, encoder, config, unlabelled=unlabelled)
    if kind == "labels":
        from penchant.learn.heads.labels import learn_labels

        return learn_labels(rows, labels, encoder, config)
    if kind == "value":
        from penchant.learn.heads.value import learn_value

        return learn_value(rows, labels, encoder, config)
    from penchant.learn.heads.relevance import learn_relevance

    return learn_relevance(rows, labels, encoder, config, queries=queries)


def _tuned(
    texts: list[str],
    labels: list[str],
    encoder: Encoder | str | Path,
    unlabelled: Sequence[str],
    tuned: bool | TunedConfig,
    work: str | Path | None,
    config: HeadConfig | None,
    threads: int,
) -> Predictor:
    if not isinstance(encoder, str | Path):
        raise InvalidInput(
            "tuned= starts from weights: give encoder= the model (a folder, a package, a hub id), "
            f"got a {type(encoder).__name__}"
        )
    from penchant.learn.heads.classes import learn_classes
    from penchant.learn.heads.tuned import tune

    chosen = tuned if isinstance(tuned, TunedConfig) else TunedConfig(threads=threads)
    folder = Path(tempfile.mkdtemp(prefix="penchant-") if work is None else work)
    folder.mkdir(parents=True, exist_ok=True)
    made = tune(texts, labels, folder / "encoder", model=encoder, config=chosen)
    # Its ONNX form lies beside it: the cache of the user is for encoders that have a name.
    opened = SentenceEncoder.open(made.folder, cache_directory=folder, threads=threads)
    if work is None:
        # save() copies from there: it has to last as long as what was opened from it.
        weakref.finalize(opened, shutil.rmtree, folder, ignore_errors=True)
    folds: npt.NDArray[np.int64] = np.full(len(texts), -1, np.int64)
    folds[made.held] = 0
    more = opened.encode(unlabelled) if unlabelled else None
    rows = opened.encode(texts)
    head = learn_classes(rows, labels, opened.id, config, folds=folds, unlabelled=more)
    if made.problem:
        head = replace(head, learned={**head.learned, "problem": made.problem})
    return Predictor(opened, head)


def _refuse(tuned: object, work: object, config: object) -> None:
    """Raise InvalidInput for settings that are of another kind than they have to be."""
    for name, found, kinds, said in (
        ("tuned", tuned, (bool, TunedConfig), "true, false or a TunedConfig"),
        ("work", work, (str, Path, type(None)), "the path of a folder"),
        ("config", config, (HeadConfig, type(None)), "a HeadConfig"),
    ):
        if not isinstance(found, kinds):
            raise InvalidInput(
                f"expected {name}= to be {said}, got {type(found).__name__} {found!r:.40}: "
                "leave it out for the default"
            )


def _need(tuned: bool) -> None:
    wanted = ["sklearn", "scipy", *(["torch", "transformers", "onnxscript"] if tuned else [])]
    if missing := [name for name in wanted if find_spec(name) is None]:
        raise MissingLibrary(
            f"learning a head needs {', '.join(missing)}, which cannot be imported here: "
            '`pip install "penchant[train]"`; heads that were saved are opened without it'
        )
