"""The folder of a head: what it refuses, and what readers and a kill meet while it is saved."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import penchant
from clouds import cloud
from penchant.language.encoder.supplied import SuppliedEncoder
from penchant.language.heads.classes import ClassHead
from penchant.language.heads.linear import HeadDamaged
from penchant.language.heads.open import read_head
from penchant.language.heads.predictor import Predictor
from penchant.learn.heads.classes import learn_classes
from penchant.types import InvalidInput

TEXTS = [f"text {i}" for i in range(80)]


def head(*labels: str) -> ClassHead:
    rows, numbered = cloud(len(TEXTS), len(labels))
    return learn_classes(rows, [labels[int(name.split()[1])] for name in numbered], "an encoder")


@pytest.fixture
def predictor() -> Predictor:
    rows, labels = cloud(len(TEXTS))
    encoder = SuppliedEncoder(TEXTS, rows)
    return Predictor(encoder, learn_classes(rows, labels, encoder.id))


def test_what_is_no_head_is_left_alone(predictor: Predictor, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("years of work")
    (own / "manifest.json").write_text('{"name": "a web page"}')
    for folder in (own, own / "thesis.txt", own / "thesis.txt" / "head"):
        with pytest.raises(InvalidInput, match="expected a folder"):
            predictor.save(folder)
        with pytest.raises(InvalidInput, match="expected a folder"):
            predictor.head.save(folder)
    with pytest.raises(InvalidInput, match="expected the path of a folder"):
        predictor.save(None)  # type: ignore[arg-type]
    assert (own / "thesis.txt").read_text() == "years of work"
    assert len(list(own.iterdir())) == 2


def test_another_head_takes_its_place_and_leaves_nothing(tmp_path: Path) -> None:
    head("sea", "food").save(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    head("yes", "no").save(tmp_path)
    said = read_head(tmp_path)
    assert isinstance(said, ClassHead)
    assert said.names == ("no", "yes")
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 3
    assert {"manifest.json", "notes.txt"} < {*names}


def test_readers_meet_a_whole_head_while_others_save(tmp_path: Path) -> None:
    two = head("sea", "food"), head("a", "b", "c")
    two[0].save(tmp_path)
    done = threading.Event()

    def replace(which: int) -> None:
        while not done.is_set():
            two[which].save(tmp_path)

    writers = [threading.Thread(target=replace, args=(which,)) for which in (0, 1)]
    for writer in writers:
        writer.start()
    try:
        met = [read_head(tmp_path).dimension for _ in range(150)]
        names = {read_head(tmp_path).names for _ in range(50)}  # type: ignore[attr-defined]
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert {*met} == {two[0].dimension}
    assert names <= {two[0].names, two[1].names}


def test_a_save_that_is_killed_leaves_the_head_of_before(tmp_path: Path) -> None:
    folder = tmp_path / "head"
    code = f"""
import numpy as np
from penchant.language.heads.folder import write
for i in range(100_000):
    write({str(folder)!r}, {{"kind": "none", "save": i}}, {{"a": np.full(100_000, float(i))}})
    print(i, flush=True)
"""
    last = -1
    for wait in (0.0, 0.003, 0.007, 0.011, 0.017):
        running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None
        for _ in range(3):
            running.stdout.readline()
        time.sleep(wait)
        running.send_signal(signal.SIGKILL)
        rest = running.communicate()[0].split()
        last = int(rest[-1]) if rest else 2
        with pytest.raises(HeadDamaged, match="not a head that this version reads"):
            read_head(folder)  # the sums are those of the files: it is the kind that is none
    assert last >= 2
    kept = head("sea", "food")
    # A kill may leave partial folders: the next save takes them away.
    (folder / "encoder.partial").mkdir()
    (folder / "encoder-0123456789abcdef").mkdir()
    (folder / ".manifest.json.0123456789abcdef").write_text("{")
    kept.save(folder)
    assert len(list(folder.iterdir())) == 2
    rows = cloud(8, 2)[0]
    np.testing.assert_array_equal(read_head(folder).predict(rows).values, kept.predict(rows).values)


def test_damage_is_named(predictor: Predictor, tmp_path: Path) -> None:
    predictor.save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"encoder.json", "head.json", "manifest.json", "weights.npy"} <= {p.name for p in files}
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(HeadDamaged, match=path.name):
            penchant.open_head(tmp_path, encoder=predictor.encoder)
        path.unlink()
        with pytest.raises(HeadDamaged, match=path.name):
            penchant.open_head(tmp_path, encoder=predictor.encoder)
        path.write_bytes(content)
    assert penchant.open_head(tmp_path, encoder=predictor.encoder).head.kind == "class"


def test_a_damaged_head_can_be_saved_again(predictor: Predictor, tmp_path: Path) -> None:
    predictor.save(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    predictor.save(tmp_path)
    assert penchant.open_head(tmp_path, encoder=predictor.encoder).head.kind == "class"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_first_save_that_was_killed_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "head.partial").mkdir()
    (tmp_path / ".manifest.json.0123456789abcdef").write_text("{")
    with pytest.raises(InvalidInput, match="expected the folder of a head"):
        read_head(tmp_path)
    head("sea", "food").save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_folder_of_a_head_is_refused(tmp_path: Path) -> None:
    for wrong in (None, 3, "a\0b"):
        with pytest.raises(InvalidInput, match="expected the path of a folder"):
            penchant.open_head(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="expected the folder of a head"):
        penchant.open_head(tmp_path)
    with pytest.raises(InvalidInput, match="expected an encoder"):
        penchant.open_head(tmp_path, encoder=3)  # type: ignore[arg-type]
