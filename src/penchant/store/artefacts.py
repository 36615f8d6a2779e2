"""A folder of learned things: arrays (npy), JSON, ONNX files by name, written once, then read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class Artefacts:
    """Reads and writes one folder. Arrays are memory-mapped; nothing is ever unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def path(self, name: str) -> Path:
        """Return where the file `name` lies, existing or not."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Return whether the folder holds the file `name`."""
        return self.path(name).exists()

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return the array `name`, mapped into memory and read-only."""
        found: npt.NDArray[Any] = np.load(
            self.path(f"{name}.npy"), mmap_mode="r", allow_pickle=False
        )
        return found

    def json(self, name: str) -> Any:
        """Return the content of `name`.json."""
        return json.loads(self.path(f"{name}.json").read_text(encoding="utf-8"))

    def write_array(self, name: str, array: npt.NDArray[Any]) -> None:
        """Write one array."""
        self.folder.mkdir(parents=True, exist_ok=True)
        np.save(self.path(f"{name}.npy"), np.ascontiguousarray(array), allow_pickle=False)

    def write_arrays(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write several arrays by name."""
        for name, array in arrays.items():
            self.write_array(name, array)

    def write_json(self, name: str, content: Any) -> None:
        """Write `content` as `name`.json."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        self.path(f"{name}.json").write_text(text, encoding="utf-8")
