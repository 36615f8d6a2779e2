from __future__ import annotations

import hashlib
import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from penchant.language.encoder import cache
from penchant.language.encoder.cache import CachedEncoder


class Hashing:
    """A small real encoder: a unit vector drawn by the hash of the text; counts its work."""

    dimension = 16

    def __init__(self, name: str = "hashing") -> None:
        self.id = name
        self.encoded: list[str] = []
        self.lock = threading.Lock()

    def reads(self, text: str) -> bool:
        return text != "?"

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        with self.lock:
            self.encoded.extend(texts)
        out = np.zeros((len(texts), self.dimension), np.float32)
        for i, text in enumerate(texts):
            if text:
                seed = hashlib.blake2b((self.id + text).encode(), digest_size=8).digest()
                row = np.random.default_rng(int.from_bytes(seed, "big")).normal(size=16)
                out[i] = row / np.linalg.norm(row)
        return out


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[CachedEncoder]:
    encoder = CachedEncoder(Hashing(), tmp_path / "cache" / "vectors.sqlite")
    yield encoder
    encoder.close()


def test_a_text_is_encoded_once(cached: CachedEncoder) -> None:
    first = cached.encode(["a", "b", "a", " b\n"])
    assert sorted(cached.encoder.encoded) == ["a", "b"]
    np.testing.assert_array_equal(first[[0, 1]], first[[2, 3]])
    np.testing.assert_array_equal(cached.encode(["b", "a"]), first[[1, 0]])
    assert sorted(cached.encoder.encoded) == ["a", "b"]
    assert (cached.hits, cached.misses) == (2, 2)


def test_an_answer_is_the_same_whether_it_was_remembered(
    cached: CachedEncoder, tmp_path: Path
) -> None:
    texts = [f"text {i}" for i in range(3000)]
    fresh = cached.encode(texts)
    again = CachedEncoder(Hashing(), cached.path)
    np.testing.assert_array_equal(again.encode(texts), fresh)
    assert not again.encoder.encoded
    np.testing.assert_allclose(fresh, cached.encoder.encode(texts), atol=4e-5)
    again.close()


def test_encoders_do_not_share_vectors(cached: CachedEncoder) -> None:
    other = CachedEncoder(Hashing("other"), cached.path)
    assert not np.allclose(cached.encode(["a"]), other.encode(["a"]))
    assert other.encoder.encoded == ["a"]
    other.close()


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    encoder = CachedEncoder(Hashing(), tmp_path / "v.sqlite", most=100)
    for start in range(0, 400, 50):
        encoder.encode([f"text {i}" for i in range(start, start + 50)])
    count = encoder._connection.execute("SELECT count(*) FROM vector").fetchone()[0]
    assert count == 100
    encoder.encoder.encoded.clear()
    encoder.encode([f"text {i}" for i in range(300, 400)])
    assert not encoder.encoder.encoded
    encoder.encode(["text 0"])
    assert encoder.encoder.encoded == ["text 0"]
    encoder.close()


def test_progress_is_told_once_a_second(
    cached: CachedEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0, 100, 0.6))
    monkeypatch.setattr(cache.time, "monotonic", lambda: next(clock))
    told: list[tuple[int, int]] = []
    cached.encode([f"text {i}" for i in range(3000)], progress=lambda *t: told.append(t))
    assert told
    assert len(told) < 6
    assert all(total == 3000 for _, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_killed_run_resumes(tmp_path: Path) -> None:
    class Dying(Hashing):
        def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
            if len(self.encoded) >= 1024:
                raise KeyboardInterrupt
            return super().encode(texts)

    texts = [f"text {i}" for i in range(2000)]
    dying = CachedEncoder(Dying(), tmp_path / "v.sqlite")
    with pytest.raises(KeyboardInterrupt):
        dying.encode(texts)
    dying.close()
    second = CachedEncoder(Hashing(), tmp_path / "v.sqlite")
    second.encode(texts)
    assert len(second.encoder.encoded) == 2000 - 1024
    second.close()


def test_a_full_disk_only_costs_the_memory(cached: CachedEncoder) -> None:
    cached._connection.execute("PRAGMA max_page_count = 8")
    texts = [f"text {i}" for i in range(2000)]
    rows = cached.encode(texts)
    assert cached.unsaved > 0
    np.testing.assert_allclose(rows, Hashing().encode(texts), atol=4e-5)


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b""])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "v.sqlite"
    path.write_bytes(damage)
    encoder = CachedEncoder(Hashing(), path)
    np.testing.assert_allclose(encoder.encode(["a"]), Hashing().encode(["a"]), atol=4e-5)
    assert encoder.unsaved == 0
    encoder.close()


def test_a_file_that_cannot_be_opened_only_costs_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    encoder = CachedEncoder(Hashing(), tmp_path / "file" / "v.sqlite")
    first = encoder.encode(["a", "b"])
    np.testing.assert_array_equal(encoder.encode(["b", "a"]), first[::-1])
    assert len(encoder.encoder.encoded) == 2
    assert encoder.unsaved == 2
    encoder.close()


def test_a_vector_of_another_length_is_not_believed(cached: CachedEncoder) -> None:
    cached.encode(["a"])
    cached._connection.execute("UPDATE vector SET vector = x'0000'")
    np.testing.assert_allclose(cached.encode(["a"]), Hashing().encode(["a"]), atol=4e-5)


def test_threads_share_one_file(cached: CachedEncoder) -> None:
    texts = [f"text {i}" for i in range(500)]
    expected = Hashing().encode(texts)
    with ThreadPoolExecutor(6) as pool:
        for rows in pool.map(cached.encode, [texts] * 12):
            np.testing.assert_allclose(rows, expected, atol=4e-5)
    assert cached.unsaved == 0


def _fill(path: Path, start: int) -> int:
    encoder = CachedEncoder(Hashing(), path)
    for i in range(40):
        encoder.encode([f"text {start + j}" for j in range(i, i + 20)])
    encoder.close()
    return encoder.unsaved


def test_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.starmap(_fill, [(path, s) for s in (0, 10, 1000)]) == [0, 0, 0]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM vector").fetchone()[0] == 69 + 59
    connection.close()
