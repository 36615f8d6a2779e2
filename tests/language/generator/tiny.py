"""A language model of a third of a million weights, taught one task, and a real server.

It answers in the form that the prompt `name-1` asks for, or `expand-1`, mostly: it is a real model
behind a real server, and wrong as those are.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pydantic import BaseModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from penchant.language.generator.expanding import Interest, Proposals, expansion
from penchant.language.generator.naming import Naming
from penchant.language.generator.prompt import Prompt, load_prompt
from penchant.language.generator.schema import instruction

KINDS = {
    "Westerns": ["Rider", "Canyon", "Sheriff", "Saddle", "Rustlers"],
    "Space films": ["Comet", "Orbit", "Rocket", "Saturn", "Galaxy"],
    "Sea stories": ["Harbour", "Sailor", "Lighthouse", "Tide", "Whaler"],
    "Cook books": ["Oven", "Kitchen", "Soup", "Baker", "Spices"],
}
NEXT = dict(zip(KINDS, [*list(KINDS)[1:], *list(KINDS)[:1]], strict=True))
Told = tuple[str, str]  # what is asked, and what is to be answered
PLAIN = ["Lost", "Last", "Silent", "Golden", "Long", "Night", "Road", "Two", "Red", "Home"]
TURN = "<|{role}|>{content}<|end|>"
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def group(kind: str, rng: random.Random) -> tuple[list[str], list[str]]:
    """Return titles and terms of a group of one kind."""
    titles = [f"The {rng.choice(PLAIN)} {rng.choice(KINDS[kind])}" for _ in range(4)]
    return titles, rng.sample([word.lower() for word in KINDS[kind]], 2)


def asked(kind: str, rng: random.Random) -> str:
    """Return the turns that ask for the name of a group, as the endpoint writes them."""
    titles, terms = group(kind, rng)
    prompt = load_prompt("name-1").filled(
        {"titles": titles, "terms": terms}, code=f"{rng.getrandbits(64):016x}"
    )
    return turns(prompt, Naming)


def turns(prompt: Prompt, schema: type[BaseModel]) -> str:
    """Return the turns of a prompt as the server's template writes them."""
    system = f"{prompt.system}\n\n{instruction(schema)}"
    return (
        TURN.format(role="system", content=system)
        + TURN.format(role="user", content=prompt.user)
        + "<|assistant|>"
    )


def naming(rng: random.Random, n: int = 400) -> list[Told]:
    """Return groups and what they are called."""
    kinds = rng.choices(list(KINDS), k=n)
    return [(asked(kind, rng), json.dumps({"name": kind})) for kind in kinds]


def expanding(rng: random.Random, n: int = 400) -> list[Told]:
    """Return people who like one kind, and `NEXT`, which they may come to like."""
    told = []
    for kind in rng.choices(list(KINDS), k=n):
        titles, _ = group(kind, rng)
        listed = rng.sample([one for one in KINDS if one != kind], 3)
        prompt = expansion([Interest(kind, 1.0)], titles[:2], listed, 10)
        answer = {"proposals": [{"concept": NEXT[kind], "reason": ""}]}
        told.append((turns(prompt, Proposals), json.dumps(answer)))
    return told


def taught(folder: Path, told: list[Told], seconds: float = 60.0) -> float:
    """Write a model to `folder` that was taught for at most so long; return its loss."""
    rng = random.Random(0)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    own = Tokenizer(models.BPE())
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    own.train_from_iterator([text + answer for text, answer in told], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=own, pad_token=SPECIAL[0], eos_token=SPECIAL[1], chat_template=TEMPLATE
    )

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=1,
        )
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3)
    began, average = time.monotonic(), 5.0
    while time.monotonic() - began < seconds and average > 0.01:
        rows, answers = [], []
        for text, said in rng.sample(told, 16):
            question = tokenizer(text)["input_ids"]
            answer = tokenizer(said + "<|end|>")["input_ids"]
            rows.append(question + answer)
            answers.append(len(answer))
        longest = max(map(len, rows))
        # On the left, so that all answers end at the same place.
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
        seen = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        labels = ids.clone()
        for row, length in enumerate(answers):
            labels[row, : longest - length] = -100
        made = model(input_ids=ids, attention_mask=seen, labels=labels)
        optimiser.zero_grad()
        made.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        loss = made.loss.item()
        average += 0.1 * (loss - average)
    model.generation_config.eos_token_id = 1
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    torch.set_num_threads(threads)
    return average


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a model with `transformers serve` for as long as the block lasts; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", str(folder)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    log = folder / "server.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [*command, *options],
            stdout=written,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
    try:
        ends = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                told = log.read_text(encoding="utf-8", errors="replace")
                assert server.poll() is None, told
                assert time.monotonic() < ends, told
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
