"""Kinds say how much a person wanted something; ratings by their place on their own scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from penchant.ingest.kinds import DEFAULT_WEIGHTS, EventsConfig, Kinds
from penchant.ingest.ratings import SCALES_FILE, detect_scale
from penchant.store.settings import Settings
from penchant.types import Error, InvalidInput

NAMES = ("click", "view", "purchase", "return", "skip", "rating", "dwell", "pondered")


def strength(kinds: Kinds, name: str, value: float = np.nan) -> float:
    code = np.array([NAMES.index(name)], dtype=np.int16)
    found = kinds.strength(NAMES, code, np.array([value], dtype=np.float32))
    assert found.dtype == np.float32
    return float(found[0])


def test_the_default_table() -> None:
    kinds = Kinds()
    assert [strength(kinds, n) for n in NAMES[:5]] == pytest.approx([1, 0.5, 2, -1, -0.3])
    assert strength(kinds, "pondered") == 1.0
    assert kinds.unknown(NAMES) == ("pondered",)
    assert kinds.weight("Add to Cart") == kinds.weight("add-to-cart") == 1.5
    assert kinds.weight("impression") == kinds.weight("search") == 0.0


@pytest.mark.parametrize(
    ("stars", "wanted"), [(5, 1.0), (4, 1.0), (3.5, 0.2), (3, 0.2), (2, -0.5), (1, -0.5)]
)
def test_ratings_of_five_stars(stars: float, wanted: float) -> None:
    assert strength(Kinds(), "rating", stars) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("scale", "value", "wanted"),
    [((1, 10), 8, 1.0), ((1, 10), 4, -0.5), ((0, 1), 1, 1.0), ((0, 1), 0, -0.5), ((-1, 1), 0, 0.2)],
)
def test_other_scales(scale: tuple[float, float], value: float, wanted: float) -> None:
    assert strength(Kinds(scales={"rating": scale}), "rating", value) == pytest.approx(wanted)
    told = Kinds(EventsConfig(rating_scale={"rating": scale}), scales={"rating": (1, 100)})
    assert strength(told, "rating", value) == pytest.approx(wanted)


def test_values_of_time_scale_the_weight() -> None:
    kinds = Kinds()
    assert strength(kinds, "dwell", 0.0) == 0.0
    assert strength(kinds, "dwell", 0.5) == 0.5
    assert strength(kinds, "dwell", 7.0) == 1.0
    assert strength(kinds, "dwell") == 0.5
    assert strength(kinds, "rating") == 0.5
    assert strength(kinds, "click", 19.99) == 1.0


def test_configuration_is_added_over_the_defaults() -> None:
    kinds = Kinds(
        EventsConfig(weights={"purchase": 3, "pondered": 0.1}, units={"pondered": "depth"})
    )
    assert strength(kinds, "purchase") == 3.0
    assert strength(kinds, "click") == 1.0
    assert strength(kinds, "pondered", 0.5) == pytest.approx(0.05)
    assert kinds.unknown(NAMES) == ()
    with pytest.raises(InvalidInput, match="finite weight"):
        Kinds(EventsConfig(weights={"click": float("inf")}))
    with pytest.raises(ValidationError):
        EventsConfig(units={"click": "furlongs"})  # type: ignore[dict-item]


def test_what_counts_as_positive() -> None:
    kinds = Kinds()
    codes = np.arange(len(NAMES), dtype=np.int16)
    values = np.array([np.nan] * 5 + [3.0, 0.9, np.nan], dtype=np.float32)
    wanted = kinds.wanted(NAMES, codes, values)
    assert wanted.tolist() == [True, True, True, False, False, False, True, True]


def test_no_events_have_no_strengths() -> None:
    empty = np.zeros(0, dtype=np.int16), np.zeros(0, dtype=np.float32)
    assert len(Kinds().strength((), *empty)) == 0


def test_scales_are_detected_from_enough_ratings() -> None:
    def many(*values: float) -> np.ndarray:
        return np.array(values * 50, dtype=np.float64)

    assert detect_scale(many(1, 5)) == (1.0, 5.0)
    assert detect_scale(many(0.5, 4)) == (0.0, 5.0)
    assert detect_scale(many(1)) == (0.0, 1.0)
    assert detect_scale(many(2, 9)) == (1.0, 10.0)
    assert detect_scale(many(20, 90)) == (1.0, 100.0)
    assert detect_scale(many(-1, 1)) == (-1.0, 1.0)
    assert detect_scale(np.append(np.tile([1.0, 5.0], 1000), 999)) == (1.0, 5.0)
    assert detect_scale(np.array([1.0])) is None
    assert detect_scale(np.array([])) is None


def test_scales_are_kept_in_the_directory_and_only_widen(tmp_path: Path) -> None:
    (tmp_path / "penchant.toml").write_text(
        "[events]\npositive_from = 0.9\n[events.weights]\nclick = 4\n"
    )
    settings = Settings(tmp_path / "penchant.toml", environment={})
    kinds = Kinds.from_settings(settings)
    assert kinds.weight("click") == 4
    assert kinds.keep_scales({"rating": (1.0, 10.0)}, tmp_path)
    assert not kinds.keep_scales({"rating": (1.0, 5.0)}, tmp_path)
    again = Kinds.from_settings(settings)
    assert again.scale("rating") == kinds.scale("rating") == (1.0, 10.0)
    assert again == kinds
    with pytest.raises(Error, match="cannot be kept"):
        Kinds().keep_scales({"rating": (1.0, 5.0)}, tmp_path / "nowhere")
    (tmp_path / SCALES_FILE).write_text("[]")
    with pytest.raises(InvalidInput, match="rating scales"):
        Kinds.from_settings(settings)


def test_every_default_weight_is_spelt_as_it_is_looked_up() -> None:
    for name, weight in DEFAULT_WEIGHTS.items():
        assert Kinds().weight(name) == weight


def test_idle_kinds_never_count_whatever_their_value() -> None:
    kinds = Kinds(EventsConfig(weights={"glance": 0.2, "view": 0.5}))
    names = ("impression", "search", "glance", "view", "skip", "read_time", "rating", "unheard of")
    assert kinds.idle(names) == ("impression", "search", "glance")
    for name in names:
        values = np.array([np.nan, 0, 0.1, 1, 2, 3, 4, 5], dtype=np.float32)
        found = kinds.strength((name,), np.zeros(len(values), dtype=np.int16), values)
        counts = (found >= np.float32(kinds.config.wanted_from)) | (found < 0)
        assert counts.any() == (name not in kinds.idle(names)), name
    assert Kinds(EventsConfig(wanted_from=0.0)).idle(names) == ()
    assert "view" in Kinds(EventsConfig(wanted_from=0.8)).idle(names)
