"""The embedded default for labels: a calibrated text classifier, trained anew when it is asked.

Words, pairs of words and letters (tf-idf) into a multinomial logistic regression; its confidence
is calibrated by one temperature, fitted on out-of-fold answers (Guo et al., On Calibration of
Modern Neural Networks, ICML 2017).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from wfops_pipelines.assist.declared import Classify, Row
from wfops_pipelines.core.drafts import Draft, DraftKind, prompt_digest
from wfops_pipelines.core.texts import visible
from wfops_pipelines.errors import SettingsError

Example = tuple[str, str]  # text, label
FOLDS = 5
MOST = 4000  # examples; the newest count
CONTRADICTION = 0.1  # of the seeds, got wrong since
LONGEST = 10_000  # characters of a text that are read


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted classifier. `name` says what it was trained on; the same training, the same name.

    on_seeds: the share of the seeds that it gets right when it has not seen them.
    """

    name: str
    labels: tuple[str, ...]
    temperature: float
    on_seeds: float
    _pipeline: Any

    def predict(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        """For each text its labels with their probabilities, the most probable first."""
        import numpy as np

        if not texts:
            return []
        chances = _softmax(self._pipeline.decision_function(list(texts)) / self.temperature)
        order = np.argsort(-chances, axis=1, kind="stable")
        return [
            [(self.labels[i], float(row[i])) for i in places]
            for row, places in zip(chances, order, strict=True)
        ]


def seeds(file: Path) -> tuple[Example, ...]:
    """The examples in `file`. Raises SettingsError naming the line that is none."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read ({error}).") from error
    found = [_example(file, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    few = [label for label, n in Counter(label for _, label in found).items() if n < FOLDS]
    if few or len({label for _, label in found}) < 2:
        which = f"label {few[0]!r} has fewer than {FOLDS} lines" if few else "has only one label"
        raise SettingsError(f"{file}: {which}; give each of two or more labels {FOLDS} examples.")
    return tuple(found)


def fit(seed: Sequence[Example], accepted: Sequence[Example] = ()) -> Model:
    """Train on the seed and on what people accepted; labels that only few rows have wait.

    One text counts once, with its newest label, so that a flood of copies teaches no more than one.
    Accepted rows with which the seeds themselves are got wrong are set aside: then either a run of
    decisions was careless, or the seed file is out of date, and a person mends one of them.
    """
    newest = {text.casefold().strip(): (text, label) for text, label in accepted}
    counts = Counter(label for _, label in (*seed, *newest.values()))
    known = [e for e in newest.values() if counts[e[1]] >= FOLDS][-MOST:]
    model = _fit((*seed, *known), len(known))
    alone = _fit(tuple(seed), 0) if known else model
    if model.on_seeds < alone.on_seeds - CONTRADICTION:
        said = f"{alone.name}; {len(known)} accepted rows contradict the seeds and were set aside"
        return replace(alone, name=said)
    return model


@lru_cache(maxsize=8)
def _fit(examples: tuple[Example, ...], accepted: int) -> Model:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # on matrices this small, threads take 25 times as long
        return _trained(examples, accepted)


def _trained(examples: tuple[Example, ...], accepted: int) -> Model:
    texts, labels = [t for t, _ in examples], [label for _, label in examples]
    pipeline = _pipeline()
    pipeline.fit(texts, labels)
    classes = tuple(str(c) for c in pipeline.classes_)
    version = hashlib.sha256(json.dumps(examples).encode()).hexdigest()[:8]
    name = f"classifier of {len(examples) - accepted} seeds and {accepted} accepted rows {version}"
    scores = _out_of_fold(texts, labels)
    truth = [classes.index(label) for label in labels]
    right = [int(row.argmax()) == t for row, t in zip(_softmax(scores), truth, strict=True)]
    seeds = right[: len(right) - accepted]
    on_seeds = sum(seeds) / len(seeds)
    return Model(name, classes, _temperature(scores, truth), on_seeds, pipeline)


def propose(asked: Classify, rows: Sequence[Row], accepted: Sequence[Example]) -> list[Draft]:
    """A label for each row; None below the confidence that was asked for."""
    model = fit(seeds(asked.seed), accepted)
    texts = [text_of(row, asked.text) for row in rows]
    return [
        _draft(asked, model, row, text, ranked)
        for row, text, ranked in zip(rows, texts, model.predict(texts), strict=True)
    ]


def text_of(row: Row, columns: Sequence[str]) -> str:
    return "\n".join(str(row.get(c) or "")[:LONGEST] for c in columns)


def _draft(
    asked: Classify, model: Model, row: Row, text: str, ranked: Sequence[tuple[str, float]]
) -> Draft:
    label, chance = ranked[0]
    sure = chance >= asked.at_least and bool(text.strip())
    others = ", ".join(f"{name} {p:.0%}" for name, p in ranked[:3])
    why = others if sure else f"too unsure, a person labels: {others}"
    return Draft(
        kind=DraftKind.LABEL,
        column=asked.column,
        value=label if sure else None,
        confidence=chance,
        why=why,
        model=model.name,
        prompt=prompt_digest([model.name, text]),
        sources=tuple((c, visible(str(row.get(c) or ""))[:LONGEST]) for c in asked.text),
    )


def _pipeline() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode")
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    return make_pipeline(make_union(words, letters), _logistic())


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=8.0, solver="newton-cg", max_iter=2000)


def _out_of_fold(texts: list[str], labels: list[str]) -> Any:
    """The score of each label for each text, from models that have not seen the text."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return cross_val_predict(_pipeline(), texts, labels, cv=folds, method="decision_function")


def _temperature(scores: Any, known: Sequence[int]) -> float:
    """What makes the out-of-fold answers as sure as they are right (least log loss).

    As many more answers as there are labels count as guesses: a small seed that is never wrong
    about itself would else make everything certain.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    truth = np.array(known)
    classes = int(_softmax(scores[:1]).shape[1])

    def loss(log_t: float) -> float:
        chances = _softmax(scores / np.exp(log_t))
        logs = -np.log(chances + 1e-12)
        right = float(logs[np.arange(len(truth)), truth].mean())
        return right + classes / len(truth) * float(logs.mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _softmax(scores: Any) -> Any:
    import numpy as np

    if scores.ndim == 1:  # two labels: one score, for the second
        scores = np.stack([-scores / 2, scores / 2], axis=1)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _example(file: Path, n: int, line: str) -> Example:
    try:
        match json.loads(line):
            case {"text": str(text), "label": str(label)} if text.strip() and label.strip():
                return text, label
    except ValueError:
        pass
    raise SettingsError(f'{file}: line {n} is not {{"text": "…", "label": "…"}}. Mend it.')
