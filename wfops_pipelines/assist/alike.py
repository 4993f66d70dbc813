"""Rows that are probably the same thing twice, under two keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wfops_pipelines.assist.declared import Duplicates, Row
from wfops_pipelines.core.drafts import Draft, DraftKind, prompt_digest
from wfops_pipelines.core.texts import visible

FLOOR = 70.0  # of 100: no compared column may be less alike
CROWD = 500  # rows that share a beginning; more say nothing, and would take for ever
BEGINNING = 4  # letters


@dataclass(frozen=True, slots=True)
class _Known:
    key: str
    texts: tuple[str, ...]


def propose(
    asked: Duplicates, key: str, rows: Sequence[Row], there: Iterable[Row]
) -> list[Draft | None]:
    """For each row the one that it probably repeats: one that is `there`, or an earlier one."""
    index: dict[tuple[int, str], list[_Known]] = defaultdict(list)
    for row in there:
        _enter(index, _known(asked, key, row))
    found = []
    for row in rows:
        new = _known(asked, key, row)
        found.append(_best(asked, new, index))
        _enter(index, new)
    return found


def _known(asked: Duplicates, key: str, row: Row) -> _Known:
    texts = tuple(" ".join(str(row.get(c) or "").casefold().split()) for c in asked.columns)
    return _Known(str(row.get(key)), texts)


def _enter(index: dict[tuple[int, str], list[_Known]], known: _Known) -> None:
    for place, text in enumerate(known.texts):
        if text:
            index[place, text[:BEGINNING]].append(known)


def _best(
    asked: Duplicates, new: _Known, index: dict[tuple[int, str], list[_Known]]
) -> Draft | None:
    near: dict[str, _Known] = {}
    for place, text in enumerate(new.texts):
        some = index.get((place, text[:BEGINNING]), []) if text else []
        near |= {k.key: k for k in some if k.key != new.key and len(some) <= CROWD}
    scored = [(score, k.key, k) for k in near.values() if (score := _alike(new, k))]
    score, _, same = max(scored, key=lambda s: (s[0], s[1]), default=(0.0, "", new))
    return _draft(asked, new, same, score) if score >= asked.at_least else None


def _alike(one: _Known, other: _Known) -> float:
    """How alike (0-100) the columns are that both have; 0 where they share too few."""
    from rapidfuzz import fuzz

    pairs = [(a, b) for a, b in zip(one.texts, other.texts, strict=True) if a and b]
    if len(pairs) < min(2, len(one.texts)):
        return 0.0
    scores = [float(fuzz.token_sort_ratio(a, b)) for a, b in pairs]
    return 0.0 if min(scores) < FLOOR else sum(scores) / len(scores)


def _draft(asked: Duplicates, new: _Known, same: _Known, score: float) -> Draft:
    def said(known: _Known) -> str:
        return visible(
            "\n".join(f"{c}: {t}" for c, t in zip(asked.columns, known.texts, strict=True))
        )

    return Draft(
        kind=DraftKind.DUPLICATE,
        column=asked.column,
        value=same.key,
        confidence=None,
        why=f"{score:.0f} % alike in {', '.join(asked.columns)}",
        model="rule duplicates 1",
        prompt=prompt_digest([*asked.columns, new.key, [*new.texts], same.key, [*same.texts]]),
        sources=((f"{new.key}", said(new)), (f"{same.key}", said(same))),
    )
