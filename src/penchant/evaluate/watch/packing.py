"""The state of the watch as one small JSON file: arrays packed into text, replaced as a whole."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.store.durable import replaced


def packed(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Return an array of plain numbers as JSON holds it: type, shape, compressed bytes."""
    plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    data = base64.b64encode(zlib.compress(plain.tobytes(), 6)).decode()
    return {"dtype": plain.dtype.str, "shape": list(plain.shape), "data": data}


def unpacked(content: dict[str, Any]) -> npt.NDArray[Any]:
    """Return the array that `packed` wrote, for the caller to change."""
    raw = zlib.decompress(base64.b64decode(content["data"]))
    return np.frombuffer(raw, dtype=np.dtype(content["dtype"])).reshape(content["shape"]).copy()


def write(path: Path, content: Any) -> None:
    """Write `content` as JSON: a reader, and a crash, leave the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    with replaced(path) as file:
        file.write(text.encode())


def read(path: Path) -> Any:
    """Return the content of a file that `write` made; None where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
