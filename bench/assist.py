"""How good the proposed labels are, how honest their confidence, and what decisions teach.

`python bench/assist.py`: trained on the demo's seed files, judged on tickets of the sandbox. Their
sentences were written apart from the seeds, by the same hand and about the same product: real
tickets are more varied, so take the figures as an upper end.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from wfops_pipelines.assist import labels  # noqa: E402
from wfops_pipelines.sandbox.phrases import TOPICS  # noqa: E402

SEEDS = ROOT / "assets/support_replies/topics.jsonl"
HELD_OUT, DECISIONS, RUNS = 600, (0, 10, 25, 50, 100), 3
FACTS = {
    "first": "Ann", "full": "Ann Bell", "company": "Acme", "email": "ann@acme.example",
    "product": "the API", "Product": "The API", "browser": "Chrome", "weekday": "Monday",
    "code": "ff00aa", "number": "AB12-0001", "amount": "90.00", "seats": "5", "count": "120",
}  # fmt: skip


def tickets(rng: random.Random, n: int) -> list[tuple[str, str]]:
    """(text, true topic), as the sandbox's customers write."""
    found = []
    for topic in rng.choices(TOPICS, [t.share for t in TOPICS], k=n):
        body = [rng.choice(topic.problems), *rng.sample(topic.details, rng.choice((0, 1, 2)))]
        text = f"{rng.choice(topic.subjects)}\n{' '.join([*body, rng.choice(topic.asks)])}"
        found.append((text.format(**FACTS), topic.name))
    return found


def calibration_error(sure: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: |confidence - accuracy| over equal bins, weighted."""
    total = 0.0
    for b in range(bins):
        inside = [i for i, s in enumerate(sure) if b == min(int(s * bins), bins - 1)]
        if inside:
            mean = sum(sure[i] for i in inside) / len(inside)
            hits = sum(right[i] for i in inside) / len(inside)
            total += len(inside) / len(sure) * abs(mean - hits)
    return total


def measured(decisions: int, seed: int) -> tuple[float, float, float, float, float]:
    """Accuracy, share of sure labels, accuracy of those, calibration error, Brier score."""
    rng = random.Random(seed)
    held_out, accepted = tickets(rng, HELD_OUT), tickets(rng, decisions)
    model = labels.fit(labels.seeds(SEEDS), accepted)
    ranked = model.predict([text for text, _ in held_out])
    sure = [r[0][1] for r in ranked]
    right = [r[0][0] == truth for r, (_, truth) in zip(ranked, held_out, strict=True)]
    kept = [r for r, s in zip(right, sure, strict=True) if s >= 0.6]
    brier = sum((s - r) ** 2 for s, r in zip(sure, right, strict=True)) / len(sure)
    return (
        sum(right) / len(right), len(kept) / len(sure), sum(kept) / max(len(kept), 1),
        calibration_error(sure, right), brier,
    )  # fmt: skip


def main() -> None:
    print(f"{HELD_OUT} held-out tickets, {RUNS} runs; a label is given from 60 % confidence")
    print("decisions  accuracy  labelled  right of those  calibration error  Brier")
    for n in DECISIONS:
        runs = [measured(n, seed) for seed in range(RUNS)]
        a, k, p, e, b = (sum(column) / RUNS for column in zip(*runs, strict=True))
        print(f"{n:9}  {a:8.1%}  {k:8.1%}  {p:14.1%}  {e:17.3f}  {b:5.3f}")


if __name__ == "__main__":
    main()
