"""A tuning moves the vectors to what people want, keeps what pays, and survives what goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from learn.tuning import made
from penchant.learn.encoder.pooled import ModelMismatched
from penchant.learn.tracking import Tracker
from penchant.learn.tuning import losses
from penchant.learn.tuning.behaviour import Behaviour
from penchant.learn.tuning.config import Objectives, TuningConfig
from penchant.learn.tuning.fit import Tuned, TuningStopped, tune
from penchant.learn.tuning.reading import Reading
from penchant.learn.tuning.text_model import TextModel
from penchant.types import Floats, InvalidInput

QUICK = TuningConfig(
    method="full",
    learning_rate=1e-3,
    batch=32,
    epochs=3,
    max_tokens=16,
    threads=1,
    negatives=8,
    validations=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.model_folder(tmp_path_factory.mktemp("model") / "bert")


def tuned(folder: Path, place: Path, config: TuningConfig, **options: Any) -> Tuned:
    behaviour, validate = made.behaviour()
    options = {"validate": validate, **options}
    return tune(folder, behaviour, config, place / "tuned", **options)


def vectors(folder: Path, behaviour: Behaviour) -> Floats:
    return TextModel.open(folder).vectors(behaviour.texts, QUICK.max_tokens)


@pytest.mark.parametrize(
    ("method", "rate"),
    [
        ("full", 1e-3),
        ("last", 3e-3),
        ("lora", 1e-2),
        ("adalora", 3e-2),
        ("prefix", 3e-2),
        ("bottleneck", 2e-2),
    ],
)
def test_every_method_learns_and_leaves_what_it_was_validated_as(
    folder: Path, tmp_path: Path, method: Any, rate: float
) -> None:
    config = replace(QUICK, method=method, learning_rate=rate, layers=1, epochs=6)
    found = tuned(folder, tmp_path, config)
    behaviour, validate = made.behaviour()
    assert found.kept == "tuned"
    assert found.best > found.before * 1.2
    assert np.mean(found.losses[-8:]) < np.mean(found.losses[4:12])
    assert validate(vectors(folder, behaviour)) == pytest.approx(found.before, abs=1e-6)
    assert validate(vectors(found.folder, behaviour)) == pytest.approx(found.best, abs=0.02)
    beside = (found.folder / "adapter.safetensors").is_file()
    assert beside == (method in ("prefix", "bottleneck"))


@pytest.mark.parametrize(
    ("objectives", "loss"),
    [
        (Objectives(), "bce"),
        (Objectives(), "autoencoder"),
        (Objectives(together=0.0, next_item=1.0), "softmax"),
        (Objectives(together=0.0, next_item=1.0), "bce"),
        (Objectives(together=0.0, category=1.0), "softmax"),
        (Objectives(together=0.0, value=1.0), "softmax"),
        (Objectives(together=1.0, next_item=0.5, category=0.5, value=0.5), "softmax"),
    ],
)
def test_every_objective_and_loss_teaches(
    folder: Path, tmp_path: Path, objectives: Objectives, loss: Any
) -> None:
    config = replace(QUICK, objectives=objectives, loss=loss, head_rate=1e-2, hard_negatives=1)
    # An epoch has few items, or people.
    small = loss == "autoencoder" or not (objectives.together or objectives.next_item)
    found = tuned(folder, tmp_path, replace(config, epochs=30 if small else 4))
    assert found.best > found.before
    assert np.mean(found.losses[-5:]) < np.mean(found.losses[:5])


def test_the_same_seed_tunes_the_same_and_another_does_not(folder: Path, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        place = tmp_path / str(number)
        found = tuned(folder, place, replace(QUICK, epochs=1, seed=seed))
        weights.append((found.folder / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_what_does_not_pay_leaves_the_original_as_it_was(folder: Path, tmp_path: Path) -> None:
    asked: list[Floats] = []

    def validate(given: Floats) -> float:
        asked.append(given)
        return -float(len(asked))

    found = tuned(folder, tmp_path, replace(QUICK, patience=2, validations=8), validate=validate)
    assert (found.kept, found.best_step, found.best, found.before) == ("original", 0, -1.0, -1.0)
    for path in folder.iterdir():
        assert (found.folder / path.name).read_bytes() == path.read_bytes()
    # Two validations without a better one end it.
    assert [value for _, value in found.values] == [-2.0, -3.0]
    assert found.steps < 34 / 2


def test_a_value_that_is_no_number_is_no_improvement(folder: Path, tmp_path: Path) -> None:
    values = iter([0.5] + [float("nan")] * 20)
    found = tuned(folder, tmp_path, QUICK, validate=lambda given: next(values))
    assert found.kept == "original"


CHILD = """
import os, signal, sys
from pathlib import Path
from learn.tuning import made
from learn.tuning.test_fit import QUICK, tuned
from dataclasses import replace
steps = []
def tell(what, share):
    steps.append(share)
    if len(steps) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
place = Path(sys.argv[2])
config = replace(QUICK, method=sys.argv[3], layers=1, epochs=1.5, **eval(sys.argv[4]))
tuned(Path(sys.argv[1]), place, config, tell=tell, workspace=place / "work", checkpoint_seconds=0.0)
"""


@pytest.mark.parametrize(
    ("method", "more"),
    [("full", {"dropout": True, "pretraining": "tsdae", "pretraining_epochs": 12})],
)
def test_a_killed_tuning_ends_in_the_same_weights(
    folder: Path, tmp_path: Path, method: Any, more: dict[str, Any]
) -> None:
    config = replace(QUICK, method=method, layers=1, epochs=1.5, **more)
    whole = tuned(folder, tmp_path / "whole", config)
    command = [sys.executable, "-c", CHILD, str(folder), str(tmp_path), method, repr(more)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = subprocess.run(command, env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    assert not (tmp_path / "tuned").exists()
    assert [*(tmp_path / "work").glob("*.safetensors")]
    told: list[float] = []
    again = tuned(
        folder,
        tmp_path,
        config,
        tell=lambda what, share: told.append(share),
        workspace=tmp_path / "work",
        checkpoint_seconds=0.0,
    )
    total = len(whole.losses) + len(whole.pretraining_losses)
    assert 0 < len(told) < total
    assert (again.losses, again.values) == (whole.losses, whole.values)
    assert again.pretraining_losses == whole.pretraining_losses
    name = "model.safetensors"
    assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert [*(tmp_path / "work").iterdir()] == []


@pytest.mark.parametrize("method", ["last", "lora", "adalora", "prefix", "bottleneck"])
def test_whatever_moves_is_gone_on_from(folder: Path, tmp_path: Path, method: Any) -> None:
    objectives = Objectives(together=1.0, category=0.5)
    config = replace(QUICK, method=method, layers=1, objectives=objectives, learning_rate=1e-2)
    whole = tuned(folder, tmp_path / "whole", config)
    assert whole.kept == "tuned"
    told: list[float] = []

    def stop(what: str, share: float) -> None:
        told.append(share)
        if len(told) == 14:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"workspace": tmp_path / "work", "checkpoint_seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        tuned(folder, tmp_path, config, tell=stop, **options)
    again = tuned(folder, tmp_path, config, tell=stop, **options)
    # The fourteenth was taken, and not yet written.
    assert len(told) == len(whole.losses) + 1
    assert (again.losses, again.values) == (whole.losses, whole.values)
    for path in whole.folder.glob("*.safetensors"):
        assert (again.folder / path.name).read_bytes() == path.read_bytes()


def test_another_tuning_does_not_take_up_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    def stop(what: str, share: float) -> None:
        raise KeyboardInterrupt

    options: dict[str, Any] = {"workspace": tmp_path / "work", "checkpoint_seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        tuned(folder, tmp_path, QUICK, tell=stop, **options)
    (tmp_path / "work" / "tuning.safetensors").write_bytes(b"damaged")
    found = tuned(folder, tmp_path, replace(QUICK, epochs=1), **options)
    alone = tuned(folder, tmp_path / "alone", replace(QUICK, epochs=1))
    assert found.losses == alone.losses


def test_a_step_without_a_finite_loss_is_skipped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(1000))
    honest = losses.softmax

    def sometimes(*given: Any) -> Tensor:
        return honest(*given) * (float("nan") if next(calls) in (3, 7) else 1.0)

    monkeypatch.setattr(losses, "softmax", sometimes)
    found = tuned(folder, tmp_path, QUICK)
    assert (found.skipped, found.kept) == (2, "tuned")
    assert np.isfinite(found.losses).all()


def test_a_tuning_that_diverges_stops_and_keeps_the_best(folder: Path, tmp_path: Path) -> None:
    config = replace(QUICK, learning_rate=1e30, warm_up=0.0)
    with pytest.raises(TuningStopped, match="lower learning_rate") as caught:
        tuned(folder, tmp_path, config)
    assert caught.value.tuned.kept == "original"
    assert caught.value.tuned.problem
    behaviour, _ = made.behaviour()
    np.testing.assert_array_equal(
        vectors(tmp_path / "tuned", behaviour), vectors(folder, behaviour)
    )


def narrow(monkeypatch: pytest.MonkeyPatch, room: int, error: Exception) -> None:
    """Let the model run out of memory in training, for more than `room` tokens with a gradient."""
    honest = Reading.encode

    def encode(self: Reading, items: Any) -> Tensor:
        wide = len(items) * int(self.lengths[items].max())
        if torch.is_grad_enabled() and wide > room:
            raise error
        return honest(self, items)

    monkeypatch.setattr(Reading, "encode", encode)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_less_is_held_where_memory_ends(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    narrow(monkeypatch, 150, error)
    found = tuned(folder, tmp_path, replace(QUICK, epochs=0.5))
    assert 128 <= found.held_tokens <= 150
    monkeypatch.undo()
    free = tuned(folder, tmp_path / "free", replace(QUICK, epochs=0.5))
    assert free.held_tokens == QUICK.held_tokens
    # The gradient is the same, whatever was held.
    np.testing.assert_allclose(found.losses, free.losses, rtol=1e-3)


def test_no_memory_at_all_is_a_clear_stop(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, 10, MemoryError("none left"))
    with pytest.raises(TuningStopped, match="lower batch") as caught:
        tuned(folder, tmp_path, QUICK)
    assert caught.value.tuned.kept == "original"
    assert (tmp_path / "tuned" / "model.safetensors").is_file()


def test_an_error_that_is_none_of_memory_is_not_hidden(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, 10, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        tuned(folder, tmp_path, QUICK)


def test_texts_without_words_have_no_vector_and_do_no_harm(folder: Path, tmp_path: Path) -> None:
    behaviour, _ = made.behaviour()
    odd = ["", "  ", "🙂", "中文 и кириллица", "saddle " * 200_000]
    behaviour = replace(behaviour, texts=[*odd, *behaviour.texts[len(odd) :]])
    seen: list[Floats] = []

    def validate(given: Floats) -> float:
        seen.append(given)
        return float(len(seen))

    found = tune(folder, behaviour, QUICK, tmp_path / "tuned", validate=validate)
    assert np.isfinite(found.losses).all()
    assert np.isnan(seen[-1][:3]).all()
    np.testing.assert_allclose(np.linalg.norm(seen[-1][4:], axis=1), 1.0, rtol=1e-5)


def test_behaviour_that_teaches_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    behaviour, validate = made.behaviour()
    nobody = Behaviour(behaviour.texts, *(np.zeros(0, t) for t in (np.int32, np.int32, np.float64)))
    for loss in ("softmax", "autoencoder"):
        with pytest.raises(InvalidInput, match="nothing to tune on"):
            tune(folder, nobody, replace(QUICK, loss=loss), tmp_path / "t", validate=validate)
    for name in ("next_item", "category", "value"):
        alone = replace(QUICK, objectives=Objectives(**{"together": 0.0, name: 1.0}))
        with pytest.raises(InvalidInput, match=name):
            tune(folder, nobody, alone, tmp_path / "t", validate=validate)
    assert not (tmp_path / "t").exists()


def test_a_target_that_exists_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    with pytest.raises(InvalidInput, match="exists already"):
        tuned(folder, tmp_path, QUICK)


def test_a_model_that_is_not_whole_is_refused_before_anything(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / "half" / name).write_bytes((folder / name).read_bytes())
    torn = (folder / "model.safetensors").read_bytes()[:2000]
    (tmp_path / "half" / "model.safetensors").write_bytes(torn)
    with pytest.raises(ModelMismatched, match="published together"):
        tuned(tmp_path / "half", tmp_path, QUICK)


def test_its_curves_are_tracked(folder: Path, tmp_path: Path) -> None:
    points: list[tuple[str, int]] = []

    class Heard(Tracker):
        def scalar(self, tag: str, value: float, step: int = 0) -> None:
            points.append((tag, step))

    found = tuned(folder, tmp_path, replace(QUICK, epochs=1), tracker=Heard())
    assert [step for tag, step in points if tag == "tuning/loss"] == [*range(1, found.steps + 1)]
    validated = [step for tag, step in points if tag == "tuning/validation"]
    assert validated == [step for step, _ in found.values]


def test_half_precision_trains_on_this_processor(folder: Path, tmp_path: Path) -> None:
    found = tuned(folder, tmp_path, replace(QUICK, precision="bf16"))
    assert found.kept == "tuned"


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"loss": "hinge"},
        {"batch": 0},
        {"temperature": 0.0},
        {"learning_rate": -1.0},
        {"objectives": Objectives(together=0.0)},
        {"objectives": Objectives(next_item=-1.0)},
        {"layer_decay": 0.0},
        {"max_tokens": 2},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="tuning"):
        replace(QUICK, **wrong)
