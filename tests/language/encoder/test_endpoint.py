from __future__ import annotations

import socket
import sys
from typing import Any

import numpy as np
import pytest

from penchant.language.encoder.endpoint import EndpointEncoder, EndpointFailed


def opened(server: Any, **options: Any) -> EndpointEncoder:
    return EndpointEncoder(server.url, "loopback", **({"timeout": 0.5} | options))


def test_texts_go_in_batches_and_blank_ones_do_not_go(embedding_server: Any) -> None:
    encoder = opened(embedding_server, batch=3, dimension=24, threads=2)
    texts = ["a", "", "b", "c", "  ", "d", "e"]
    rows = encoder.encode(texts)
    asked = sorted(request["input"] for request in embedding_server.requests)
    assert asked == [["a", "b", "c"], ["d", "e"]]
    expected = np.array([embedding_server.vector(t) for t in "abcde"])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(rows[[0, 2, 3, 5, 6]], expected, atol=1e-6)
    assert not rows[[1, 4]].any()
    encoder.close()


def test_the_dimension_is_asked_once(embedding_server: Any) -> None:
    encoder = opened(embedding_server)
    assert encoder.dimension == 24
    assert encoder.dimension == 24
    assert len(embedding_server.requests) == 1
    encoder.close()


def test_a_busy_or_slow_server_is_asked_again(embedding_server: Any) -> None:
    encoder = opened(embedding_server, dimension=24)
    embedding_server.faults = [503, 429]
    assert encoder.encode(["a"]).any()
    embedding_server.faults = ["slow"]
    assert encoder.encode(["a"]).any()
    assert len(embedding_server.requests) == 5
    encoder.close()


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([500] * 9, "InternalServerError"),
        ([401], "check that it runs, the model's name, and the key"),
        (["nan"], "NaN or infinity"),
        (["short"], "expected finite vectors"),
        (["wide"], "expected finite vectors"),
        (["other"], "not a list of vectors|no vectors"),
        (["slow"] * 9, "Timeout"),
    ],
)
def test_a_wrong_answer_says_what_to_check(
    embedding_server: Any, faults: list[Any], message: str
) -> None:
    encoder = opened(embedding_server, dimension=24, retries=1)
    embedding_server.faults = faults
    with pytest.raises(EndpointFailed, match=message):
        encoder.encode(["a", "b"])
    encoder.close()


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    encoder = EndpointEncoder(url, "loopback", retries=0, timeout=1)
    with pytest.raises(EndpointFailed, match="gave no vectors"):
        encoder.encode(["a"])
    encoder.close()


def test_only_the_given_key_is_sent(embedding_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-somebody-else")
    for key, sent in ((None, "Bearer none"), ("mine", "Bearer mine")):
        encoder = opened(embedding_server, key=key)
        encoder.encode(["a"])
        assert embedding_server.keys[-1] == sent
        encoder.close()


def test_the_id_names_url_model_and_revision() -> None:
    made = [
        EndpointEncoder(url, model, revision=revision, dimension=3)
        for url, model, revision in (
            ("http://127.0.0.1:1/v1", "a", ""),
            ("http://127.0.0.1:1/v1/", "a", ""),
            ("http://127.0.0.1:1/v1", "b", ""),
            ("http://127.0.0.1:2/v1", "a", ""),
            ("http://127.0.0.1:1/v1", "a", "2"),
        )
    ]
    ids = [encoder.id for encoder in made]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    for encoder in made:
        encoder.close()


def test_without_the_client_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(EndpointFailed, match="pip install openai"):
        EndpointEncoder("http://127.0.0.1:1/v1", "a")
