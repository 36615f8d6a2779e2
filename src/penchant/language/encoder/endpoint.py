"""Vectors from a remote embedding endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.language.normal import normal_all
from penchant.types import Error


class EndpointFailed(Error):
    """The endpoint did not answer, refused, or answered with something else than vectors."""


class EndpointEncoder:
    """Encodes texts by asking `url` (".../v1") for embeddings of `model`; safe between threads.

    A request carries up to `batch` texts, is given `timeout` seconds, and is repeated `retries`
    times, with growing pauses, when the server is busy, broken or out of reach; up to `threads`
    requests run at once. Texts leave this machine, cut to `characters`. `id` names url, model,
    `revision` and cut: the weights behind a url cannot be seen, so change `revision` with them.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        dimension: int | None = None,
        revision: str = "",
        timeout: float = 10.0,
        retries: int = 2,
        batch: int = 64,
        threads: int = 1,
        characters: int = 8192,
    ) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self.batch = max(1, batch)
        self.threads = max(1, threads)
        self.characters = characters
        self._dimension = dimension
        self._client = _client(self.url, key, timeout, retries)
        parts = [self.url, model, revision, characters]
        digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
        self._id = f"endpoint-{digest}"

    @property
    def id(self) -> str:
        """The address of url, model, revision and cut."""
        return self._id

    @property
    def dimension(self) -> int:
        """The length of a vector; asks the endpoint once where it was not told."""
        if self._dimension is None:
            self._dimension = self._ask(["dimension"]).shape[1]
        return self._dimension

    def reads(self, text: str) -> bool:
        """Return whether there is a letter or a digit: what the model knows cannot be seen."""
        return any(map(str.isalnum, text[: self.characters]))

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return float32[n, dimension]: unit rows, zeros for blank texts, which are not sent.

        Raises EndpointFailed when a batch could not be had; nothing partial is returned.
        """
        cleaned = normal_all(texts, self.characters)
        wanted = [i for i, text in enumerate(cleaned) if text]
        out: npt.NDArray[np.float32] = np.zeros((len(cleaned), self.dimension), np.float32)
        batches = [wanted[i : i + self.batch] for i in range(0, len(wanted), self.batch)]

        def run(batch: list[int]) -> None:
            out[batch] = self._ask([cleaned[i] for i in batch])

        if self.threads == 1 or len(batches) < 2:
            for batch in batches:
                run(batch)
        else:
            with ThreadPoolExecutor(min(self.threads, len(batches))) as pool:
                list(pool.map(run, batches))
        return out

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, texts: list[str]) -> npt.NDArray[np.float32]:
        import openai

        try:
            # Not every compatible server knows the client's default, base64.
            answer = self._client.embeddings.create(
                model=self.model, input=texts, encoding_format="float"
            )
        except openai.OpenAIError as error:
            raise EndpointFailed(
                f"the embedding endpoint {self.url} gave no vectors of {self.model!r} for "
                f"{len(texts)} texts ({type(error).__name__}: {error}): check that it runs, the "
                "model's name, and the key"
            ) from error
        try:
            ordered = sorted(answer.data, key=lambda d: d.index)
            rows = np.asarray([d.embedding for d in ordered], np.float64)
        except (TypeError, ValueError, AttributeError) as error:
            raise EndpointFailed(
                f"the answer of {self.url} is not a list of vectors ({error})"
            ) from error
        expected = (len(texts), self._dimension or (rows.shape[-1] if rows.ndim == 2 else 0))
        if rows.shape != expected or not np.isfinite(rows).all():
            raise EndpointFailed(
                f"expected finite vectors of shape {expected} from {self.url}, got {rows.shape}"
                f"{'' if np.isfinite(rows).all() else ' with NaN or infinity'}: is {self.model!r} "
                "an embedding model, and the same one as before?"
            )
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
        return unit


def _client(url: str, key: str | None, timeout: float, retries: int) -> Any:
    try:
        import openai
    except ImportError as error:
        raise EndpointFailed(
            "a remote embedding endpoint needs the openai client: `pip install openai`"
        ) from error
    # Without an explicit key the client would send the environment's to whatever url this is.
    return openai.OpenAI(base_url=url, api_key=key or "none", timeout=timeout, max_retries=retries)
