"""An endpoint gives an object by a schema, sends what it is told to, and tells no secrets."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from generators import Chat, chatting, saying
from language.generator.animals import CAT, LONG, PROMPT, Animal, asked, other
from penchant.language.generator.endpoint import Endpoint
from penchant.language.generator.generator import AnswerRefused, GeneratorFailed
from penchant.language.generator.prompt import Prompt, PromptError


def test_an_answer_is_an_object_of_the_schema(prompt: Prompt) -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 20, "total_tokens": 90}
    made, server = asked(saying(CAT, usage=usage), prompt, key="secret", temperature=0.5)
    assert made.value == Animal(name="cat", legs=4, eats=["mice"])
    assert (made.tokens_in, made.tokens_out, made.tokens) == (70, 20, 90)
    assert (made.attempts, made.estimated) == (1, False)
    assert 0 < made.seconds < 30
    (request,) = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("small", 0.5, 1000)
    assert request["stream"] is True
    assert request["response_format"]["json_schema"]["name"] == "Animal"
    shape = request["response_format"]["json_schema"]["schema"]
    assert shape["required"] == ["name", "legs"]
    assert "maxLength" not in json.dumps(shape)
    assert "maxItems" not in json.dumps(shape)
    system, user = request["messages"]
    # Servers that constrain an answer do not show the schema to the model.
    assert '"maxLength":12' in system["content"]
    assert system["content"].startswith("You name animals.")
    assert user["content"] == "Which pet?"
    assert server.keys == ["Bearer secret"]


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{CAT}\n```",
        f"Sure! Here it is:\n{CAT}\nAnything else?",
        f'<think>{{"name": "dog", "legs": 3}}</think>{CAT}',
        f"As {{asked}}, it is {CAT}.",
        '{"legs": "4", "name": "cat", "eats": ["mice"], "tail": {"long": true}}',
        '{"name": "c\\u0000at\\u202e", "legs": 4, "eats": ["mice"]}',
        f'{{"type": "object"}} {CAT} {{"name": "dog", "legs": 4}}',
    ],
)
def test_what_stands_around_the_object_is_no_matter(prompt: Prompt, text: str) -> None:
    made, server = asked(saying(text), prompt)
    assert made.value == Animal(name="cat", legs=4, eats=["mice"]) or made.value.name == "c at"
    assert len(server.requests) == 1


def test_what_is_too_long_is_cut_to_the_schema(prompt: Prompt) -> None:
    said = {"name": "a" * 100, "legs": 4, "eats": [str(n) for n in range(1000)]}
    made, _ = asked(saying(json.dumps(said)), prompt)
    assert made.value == Animal(name="a" * 12, legs=4, eats=["0", "1", "2"])


def test_a_wrong_answer_is_asked_for_once_more(prompt: Prompt) -> None:
    made, server = asked(saying('{"name": "cat", "legs": -4}', CAT), prompt)
    assert made.value.legs == 4
    assert (made.attempts, made.estimated) == (2, True)
    first, second = server.requests
    assert made.tokens_in > sum(len(turn["content"]) for turn in first["messages"]) // 2
    assert [turn["role"] for turn in second["messages"]] == ["system", "user", "assistant", "user"]
    told = second["messages"][3]["content"]
    assert "legs: Input should be greater than or equal to 0" in told
    made, server = asked(saying("", CAT), prompt)
    assert server.requests[1]["messages"][2]["content"] == "(nothing)"
    made, server = asked(saying('{"name": "ca', CAT, finish="length"), prompt)
    assert "cut off at 1000 tokens" in server.requests[1]["messages"][3]["content"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I am sorry, I cannot.",
        '{"name": "cat", "legs":',
        '{"name": "cat"}',
        '{"name": "cat", "legs": NaN}',
        "[1, 2]",
        "null",
        '{"name": ' * 300,
        '{"eats": ' + "[" * 5_000 + "]" * 5_000 + "}",
        '{"legs": ' + "9" * 9_000 + "}",
        "{" * 10_000,
        "{}" * 5_000,
        '{"a' * 4_000,
    ],
)
def test_what_is_wrong_twice_is_refused(prompt: Prompt, text: str) -> None:
    began = time.monotonic()
    with chatting(saying(text)) as server, pytest.raises(AnswerRefused, match="got twice") as told:
        Endpoint(server.url, "small").generate(prompt, Animal, 30)
    assert len(server.requests) == 2
    assert told.value.tokens > len(text) // 4
    assert len(str(told.value)) < 1_000
    assert time.monotonic() - began < LONG


def test_what_is_busy_is_asked_again(prompt: Prompt) -> None:
    def reply(chat: Chat, body: dict[str, Any]) -> None:
        if len(chat.server.requests) == 1:
            return chat.whole(503, {}, retry_after_ms="1")
        chat.stream(CAT)

    made, server = asked(reply, prompt, retries=1)
    assert (made.value.name, made.attempts, len(server.requests)) == ("cat", 1, 2)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_takes_nothing_elsewhere(prompt: Prompt, status: int) -> None:
    with chatting(saying(CAT)) as elsewhere:

        def reply(chat: Chat, body: dict[str, Any]) -> None:
            chat.begin(status, Location=f"{elsewhere.url}/chat/completions")

        with pytest.raises(GeneratorFailed, match="which is not followed"):
            asked(reply, prompt, key="secret")
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "response_format is not supported"),
        (400, "Failed to initialize samplers: failed to parse grammar"),
        (422, "Unexpected fields in the request: {'stream_options'}"),
        (501, ""),
        (500, 'response_format type must be one of "text" or "json_object"'),
    ],
)
def test_a_server_that_knows_no_schema_is_asked_in_words(
    prompt: Prompt, status: int, says: str
) -> None:
    def reply(chat: Chat, body: dict[str, Any]) -> None:
        if "response_format" in body or "stream_options" in body:
            return chat.whole(status, {"detail": says})
        chat.stream(CAT)

    with chatting(reply) as server:
        endpoint = Endpoint(server.url, "small", retries=0)
        for _ in range(2):
            assert endpoint.generate(prompt, Animal, 30).value.name == "cat"
    # That it does not is found out once.
    assert ["response_format" in one for one in server.requests] == [True, False, False]


def test_a_refusal_of_something_else_is_not_remembered(prompt: Prompt) -> None:
    replies: list[Callable[[Chat], None]] = [
        lambda chat: chat.whole(400, {"error": {"message": "the context is too long"}}),
        lambda chat: chat.whole(400, {"error": {"message": "the context is too long"}}),
        lambda chat: chat.stream(CAT),
    ]
    with chatting(lambda chat, body: replies.pop(0)(chat)) as server:
        endpoint = Endpoint(server.url, "small", retries=0)
        with pytest.raises(GeneratorFailed, match="context is too long"):
            endpoint.generate(prompt, Animal, 30)
        endpoint.generate(prompt, Animal, 30)
    assert "response_format" in server.requests[2]


def test_a_server_that_does_not_stream_will_do(prompt: Prompt) -> None:
    message = {"role": "assistant", "content": CAT}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    whole = {"id": "1", "choices": [{"index": 0, "message": message}], "usage": usage}
    made, _ = asked(other(whole), prompt)
    assert (made.value.name, made.tokens, made.estimated) == ("cat", 9, False)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": 2},
        {"prompt_tokens": 10**18, "completion_tokens": 2},
        {"prompt_tokens": "many", "completion_tokens": 2},
        {"prompt_tokens": 5, "completion_tokens": 0},
        {"prompt_tokens": 5},
        [1],
    ],
)
def test_a_count_that_cannot_be_is_not_believed(prompt: Prompt, usage: Any) -> None:
    made, _ = asked(saying(CAT, usage=usage), prompt)
    assert made.estimated
    assert 50 < made.tokens_in < 500
    assert made.tokens_out == -(-len(CAT) // 4)


def test_nothing_of_the_environment_is_sent(
    prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "ORGANIZATION"):
        monkeypatch.setenv(f"OPENAI_{name}", "somebodys-own")
    told = "X-Custom: somebodys-own\nAuthorization: Bearer somebodys-own"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", told)
    _, server = asked(saying(CAT), prompt)
    assert server.keys == ["Bearer none"]
    assert "somebodys-own" not in json.dumps(server.headers)
    assert not [name for name in server.headers[0] if name.startswith(("x-", "openai"))]


def test_no_credentials_are_told(prompt: Prompt, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    def reply(chat: Chat, body: dict[str, Any]) -> None:
        chat.whole(401, {"error": {"message": "Incorrect API key: sk-hidden or pass-word"}})

    with chatting(reply) as server:
        url = server.url.replace("127", "somebody:pass-word@127")
        for address, sent in ((url, b"somebody:pass-word"), (server.url, None)):
            endpoint = Endpoint(address, "small", "sk-hidden", retries=0)
            assert endpoint.id == f"small at {server.url}"
            with pytest.raises(GeneratorFailed) as told:
                endpoint.generate(prompt, Animal, 30)
            assert told.value.__cause__ is None
            assert "401" in str(told.value)
            assert "sk-hidden" not in str(told.value) + caplog.text
            if sent:
                assert "pass-word" not in str(told.value) + caplog.text
                assert server.keys == [f"Basic {base64.b64encode(sent).decode()}"]
        assert server.keys[1] == "Bearer sk-hidden"


def test_a_prompt_with_open_places_is_not_sent() -> None:
    with pytest.raises(PromptError, match="places left open"):
        Endpoint("http://127.0.0.1:9/v1", "small").generate(PROMPT, Animal, 5)


def test_many_threads_ask_at_once(prompt: Prompt) -> None:
    def reply(chat: Chat, body: dict[str, Any]) -> None:
        time.sleep(0.2)
        chat.stream(CAT)

    found: list[str] = []
    with chatting(reply) as server:
        endpoint = Endpoint(server.url, "small")
        threads = [
            threading.Thread(
                target=lambda: found.append(endpoint.generate(prompt, Animal, 30).value.name)
            )
            for _ in range(8)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == ["cat"] * 8
    assert time.monotonic() - began < LONG
