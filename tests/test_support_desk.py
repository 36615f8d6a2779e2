"""The example that answers questions: says what it does not know, learns, follows two turns."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penchant
from generators import generating
from penchant.language.encoder.sentence import SentenceEncoder
from penchant.language.generator.composer import Composer
from penchant.language.generator.endpoint import Endpoint
from penchant.recall import asked, lexical

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "support_desk.py"
NOW = 1_800_000_000.0
SLANG = "the plastic went walkies with my purse on the tram"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    # A busy machine answers a first question without what it has not read yet.
    monkeypatch.setattr(lexical, "WAIT", 60.0)
    monkeypatch.setattr(asked, "PATIENCE", 60.0)
    spec = importlib.util.spec_from_file_location("support_desk", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def desk(module: Any, tmp_path: Path, encoder_folder: Path) -> Iterator[Any]:
    made = module.Desk(tmp_path / "desk")
    yield made
    made.engine.close()


def answers() -> list[dict[str, str]]:
    lines = EXAMPLE.with_name("support_answers.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_it_is_short_and_its_answers_are_whole() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 80
    found = answers()
    assert len({row["item_id"] for row in found}) == len(found) == 77
    assert len({row["title"] for row in found}) == 77
    for row in found:
        assert 2 <= len(re.findall(r"[.](?= [A-Z]|$)", row["description"])) <= 4, row


def test_near_needs_have_answers_of_their_own(module: Any, desk: Any) -> None:
    for question, wanted in (
        ("I ordered a card two weeks ago and it has not come", "card_arrival"),
        ("if I order today, how soon is the card with me?", "card_delivery_estimate"),
        ("a thief took my wallet with the card in it", "lost_or_stolen_card"),
        ("the cash machine ate my card", "card_swallowed"),
        ("I typed the wrong PIN three times and now it is blocked", "pin_blocked"),
        ("can my fourteen year old have an account?", "age_limit"),
    ):
        sure, items, meant = desk.ask(f"about {wanted}", question, NOW)
        assert (items[0].item_id, meant) == (wanted, question)
        assert sure >= module.KNOWN, question
        assert desk.reply(sure, items, meant) == items[0].description


@pytest.mark.parametrize(
    "question",
    ["will it rain in Porto tomorrow?", "how do I bake bread? " * 50_000],
)
def test_it_says_that_it_does_not_know(module: Any, desk: Any, question: str) -> None:
    sure, items, meant = desk.ask("somebody", question, NOW)
    assert sure < module.KNOWN
    said = desk.reply(sure, items, meant)
    assert said.startswith("I do not know")
    assert [item.title for item in items] == [line.strip() for line in said.splitlines()[1:]]
    assert len(items) == 3


@pytest.mark.parametrize("question", ["🙂", "我的卡丢了", "?", "\ufffd!"])
def test_what_cannot_be_read_is_said_to_be_so(module: Any, desk: Any, question: str) -> None:
    found = desk.ask("somebody", question, NOW)
    assert found == (0.0, (), "")
    assert desk.reply(*found) == "I understood nothing of that. Please put it in other words."
    # Nor is it answered from what somebody did before.
    desk.ask("another", "a thief took my wallet with the card in it", NOW)
    desk.accept("another", "lost_or_stolen_card", NOW + 10)
    assert desk.ask("another", question, NOW + 20) == (0.0, (), "")


def test_answers_in_a_language_that_only_the_words_are_known_of(
    module: Any, tmp_path: Path, encoder_folder: Path
) -> None:
    made = module.Desk(tmp_path / "desk", written(tmp_path, [chinese("lost"), chinese("pin")]))
    sure, items, _ = made.ask("somebody", "我的卡丢了", NOW)
    made.engine.close()
    assert (sure, items[0].item_id) == (0.0, "lost")


def chinese(name: str) -> dict[str, str]:
    title = {"lost": "我的卡丢了怎么办", "pin": "如何更改密码"}[name]
    return {"item_id": name, "title": title, "description": title}


def written(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_answers_are_enough(
    module: Any, tmp_path: Path, encoder_folder: Path, count: int
) -> None:
    made = module.Desk(tmp_path / "desk", written(tmp_path, answers()[:count]))
    for place, question in enumerate(("how do I switch on my new card?", "is it dear?", "zebra")):
        found = made.ask("somebody", question, NOW + 60 * place)
        assert len(found[1]) == count
        made.reply(*found)
        for item in found[1]:  # until nothing is left that was not accepted
            made.accept("somebody", item.item_id, NOW + 60 * place + 20)
    made.engine.close()


def test_an_answer_that_the_file_lost_is_gone_and_comes_back(
    module: Any, tmp_path: Path, encoder_folder: Path
) -> None:
    question, answer = "the cash machine ate my card", "card_swallowed"

    def nearest(rows: list[dict[str, str]]) -> list[str]:
        made = module.Desk(tmp_path / "desk", written(tmp_path, rows))
        items = made.ask("somebody", question, NOW)[1]
        made.engine.close()
        return [item.item_id for item in items]

    assert nearest(answers())[0] == answer
    assert answer not in nearest([row for row in answers() if row["item_id"] != answer])
    assert nearest(answers())[0] == answer


def test_nothing_is_no_question(desk: Any) -> None:
    with pytest.raises(penchant.Error):
        desk.ask("somebody", "", NOW)


def test_what_one_accepts_is_the_next_ones_answer(module: Any, desk: Any, tmp_path: Path) -> None:
    before, items, _ = desk.ask("first", SLANG, NOW)
    assert before < module.KNOWN
    for number in range(3):
        desk.ask(f"visitor {number}", SLANG, NOW + number)
        desk.accept(f"visitor {number}", "lost_or_stolen_card", NOW + number + 20)
    sure, items, _ = desk.ask("next", "plastic went walkies on the tram, purse and all", NOW + 60)
    assert items[0].item_id == "lost_or_stolen_card"
    assert sure >= module.KNOWN
    later = module.Desk(tmp_path / "desk")  # another process, another day
    again, found, _ = later.ask("later", SLANG, NOW + 86_400)
    later.engine.close()
    assert found[0].item_id == "lost_or_stolen_card"
    assert again >= module.KNOWN


def test_the_first_turn_says_what_the_second_is_about(module: Any, desk: Any) -> None:
    second = "it still says pending"
    for visitor, first, wanted in (
        ("sender", "I made a transfer to my brother this morning", "pending_transfer"),
        ("saver", "I topped up with my card this morning", "pending_top_up"),
        ("payer", "I withdrew cash from an ATM this morning", "pending_cash_withdrawal"),
    ):
        desk.ask(visitor, first, NOW)
        _, items, meant = desk.ask(visitor, second, NOW + 30)
        assert items[0].item_id == wanted
        assert meant == f"{first} {second}"
    # Not what somebody else said, nor what was said an hour ago.
    for visitor, now in (("nobody", NOW + 40), ("payer", NOW + 3_700)):
        assert desk.ask(visitor, second, now)[2] == second


def test_a_turn_about_something_else_stands_alone(module: Any, desk: Any) -> None:
    desk.ask("guest", "which papers do I need to prove my identity?", NOW)
    sure, items, meant = desk.ask("guest", "the cash machine ate my card", NOW + 30)
    assert (items[0].item_id, meant) == ("card_swallowed", "the cash machine ate my card")
    sure, _, meant = desk.ask("guest", "will it rain in Porto tomorrow?", NOW + 60)
    assert sure < module.KNOWN
    assert meant == "will it rain in Porto tomorrow?"


def test_a_generator_is_shown_only_where_the_passages_bear_it_out(
    desk: Any, encoder_folder: Path
) -> None:
    encoder = SentenceEncoder(encoder_folder)
    found = desk.ask("somebody", "when will a card that I order be delivered?", NOW)
    written = found[1][0].description
    with generating() as server:
        desk.generator = Composer(Endpoint(server.url, "small", retries=0), encoder=encoder)
        said = desk.reply(*found)
        assert said != written
        assert re.search(r"\[[123]\]\.$", said)
        asked = server.requests[0]["messages"][1]["content"]
        assert all(item.description in asked for item in found[1])
        # What is not known is not asked of a generator either.
        desk.reply(*desk.ask("somebody else", "will it rain in Porto tomorrow?", NOW))
        assert len(server.requests) == 1
    with generating(status=503) as server:
        desk.generator = Composer(Endpoint(server.url, "small", retries=0), encoder=encoder)
        assert desk.reply(*found) == written
        assert len(server.requests) == 1
    with generating(lambda *_: "Your card is there in two hours, by drone [1].") as server:
        desk.generator = Composer(Endpoint(server.url, "small"), encoder=encoder)
        assert desk.reply(*found) == written
        assert len(server.requests) == 1


def test_it_runs_as_a_script(tmp_path: Path, encoder_folder: Path) -> None:
    def run(*options: str, lines: bytes = b"") -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, EXAMPLE, "--shelf", tmp_path / "desk", *options],
            input=lines,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode(), done.stderr.decode()

    documented = re.findall(r'--ask "(.+?)"', EXAMPLE.read_text(encoding="utf-8"))
    assert documented
    lost = next(row for row in answers() if row["item_id"] == "lost_or_stolen_card")
    for question in documented:
        assert run("--ask", question) == (f"{lost['description']}\n", "")
    # A generator that is not there is told of, and changes nothing else.
    asked = ("--ask", documented[0], "--generator", "http://127.0.0.1:9/v1", "--model", "small")
    said, failed = run(*asked)
    assert said == f"{lost['description']}\n"
    assert "the generator http://127.0.0.1:9/v1 gave no answer of 'small'" in failed
    assert "Traceback" not in failed
    said, failed = run(
        lines=f"{SLANG}\n1\n\nwill it rain in Porto tomorrow?\n".encode() + b"\xff\n"
    )
    assert said.count("I do not know") == said.count("(1, 2 or 3: that was it; or ask on)") == 2
    assert said.endswith("I understood nothing of that. Please put it in other words.\n")
    with penchant.open(tmp_path / "desk", read_only=True) as engine:
        slate = engine.recommend(None, 3, text=SLANG)
        assert slate.trace.pool is not None
        shares = slate.trace.pool.features[:, slate.trace.pool.names.index("asked")]
        assert shares[0] > 0.5
