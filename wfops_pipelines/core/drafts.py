"""Drafts: what a model or template proposed for a cell; inert until a person accepts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Finding, Json, Severity, counted_rows


class DraftKind(Enum):
    """What was proposed."""

    REPLY = "reply"  # text that goes out to somebody
    LABEL = "label"  # one of a set of words
    REPAIR = "repair"  # another value for a cell
    DUPLICATE = "duplicate"  # the row is another one already; the value is its key


DRAFTS = (DraftKind.REPLY, DraftKind.LABEL)  # what stands in the staged row already


class DraftState(Enum):
    """What a person did with it."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    EDITED = "edited"
    REFUSED = "refused"
    APPLIED = "applied"  # by a standing rule, without being asked; it is in the evidence


@dataclass(frozen=True, slots=True)
class Draft:
    """One proposal for one cell.

    value: what is proposed; None where there is nothing to propose. confidence: the chance (0-1)
    that it is right, None where nothing measured it. why: in words. model: what proposed it.
    prompt: the SHA-256 of all that it was given. sources: (name, text) of what it was made from.
    fallback: why the embedded default proposed it, where a provider should have. tokens: read and
    written by a provider. cost: of those, in the money of its prices.
    """

    kind: DraftKind
    column: str
    value: str | None
    confidence: float | None
    why: str
    model: str
    prompt: str
    sources: tuple[tuple[str, str], ...] = ()
    fallback: str = ""
    tokens: tuple[int, int] = (0, 0)
    cost: float = 0.0

    def as_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind.value,
            "column": self.column,
            "value": self.value,
            "confidence": self.confidence,
            "why": self.why,
            "model": self.model,
            "prompt": self.prompt,
            "sources": [list(s) for s in self.sources],
            "fallback": self.fallback,
            "tokens": list(self.tokens),
            "cost": self.cost,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Draft:
        sources = tuple((str(n), str(t)) for n, t in body["sources"])
        read, written = body["tokens"]
        known = {"kind": DraftKind(body["kind"]), "sources": sources, "tokens": (read, written)}
        return cls(**{**body, **known})


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft, the key of the row that it is for, and what became of it."""

    key: str
    draft: Draft
    state: DraftState = DraftState.PROPOSED


def prompt_digest(given: Json) -> str:
    """Names exactly what a drafter was given."""
    return digest(canonical(given))


def draft_findings(drafts: Sequence[Drafted], keys: frozenset[str]) -> list[Finding]:
    """One finding for each drafted or repaired column.

    It holds every row with a draft, and with a repair that nobody has decided; what a standing
    rule applied is information.
    """
    here = [d for d in drafts if d.key in keys]
    repairs = [d for d in here if d.draft.kind is DraftKind.REPAIR]
    drafted = [d for d in here if d.draft.kind in DRAFTS]
    twice = [d for d in here if d.draft.kind is DraftKind.DUPLICATE]
    return [
        *[_finding(c, some) for c, some in _by_column(drafted)],
        *[_twice(some) for _, some in _by_column(twice, DraftState.PROPOSED)],
        *[_repair(c, some) for c, some in _by_column(repairs, DraftState.PROPOSED)],
        *[_repair(c, some) for c, some in _by_column(repairs, DraftState.APPLIED)],
    ]


def _by_column(
    drafts: Sequence[Drafted], state: DraftState | None = None
) -> list[tuple[str, list[Drafted]]]:
    found: dict[str, list[Drafted]] = {}
    for drafted in drafts:
        if state in (None, drafted.state):
            found.setdefault(drafted.draft.column, []).append(drafted)
    return list(found.items())


def _twice(found: Sequence[Drafted]) -> Finding:
    first = found[0]
    if first.draft.fallback:
        return _repair(first.draft.column, found)
    pairs: list[Json] = [[d.key, d.draft.value, d.draft.why] for d in found]
    return Finding(
        check="duplicates",
        severity=Severity.CRITICAL,
        sentence=(
            f"{counted_rows(len(found))} may be there already under another key: "
            f"{first.key} is like {first.draft.value} ({first.draft.why})"
        ),
        measured=len(found),
        keys=tuple(d.key for d in found),
        details={"pairs": pairs, "rule": first.draft.column},
    )


def _repair(column: str, found: Sequence[Drafted]) -> Finding:
    applied = found[0].state is DraftState.APPLIED
    first = found[0].draft
    old = first.sources[0][1] if first.sources else ""
    if first.fallback:
        return Finding(
            check="preparation",
            severity=Severity.CRITICAL,
            sentence=f"{column} could not be looked at: {first.fallback}",
            column=column,
            measured=len(found),
            keys=tuple(d.key for d in found),
        )
    did = "was tidied" if applied else "could be tidied"
    changes: list[Json] = [
        [d.key, d.draft.sources[0][1], d.draft.value, d.draft.why] for d in found
    ]
    return Finding(
        check="preparation",
        severity=Severity.INFO if applied else Severity.CRITICAL,
        sentence=(
            f"{column} {did} in {counted_rows(len(found))} by {first.model}: "
            f"“{old}” → “{first.value}” ({first.why})"
        ),
        column=column,
        measured=len(found),
        keys=tuple(d.key for d in found),
        details={"changes": changes, "applied": applied},
    )


def _finding(column: str, found: Sequence[Drafted]) -> Finding:
    models = Counter(d.draft.model for d in found)
    empty = sum(d.draft.value is None for d in found)
    fallbacks = Counter(d.draft.fallback for d in found if d.draft.fallback)
    by = ", ".join(f"{m} ({n})" if len(models) > 1 else m for m, n in models.most_common())
    drafted = counted_rows(len(found) - empty)
    said = f"{column} was drafted in {drafted} by {by}; a person accepts it"
    if empty:
        said += f"; {counted_rows(empty)} without a proposal"
    for words, n in fallbacks.most_common(2):
        said += f"; {words} ({counted_rows(n)})"
    return Finding(
        check="drafted",
        severity=Severity.CRITICAL,
        sentence=said,
        column=column,
        measured=len(found),
        keys=tuple(d.key for d in found),
        details={
            "models": dict(models),
            "fallbacks": dict(fallbacks),
            "prompts": [[d.key, d.draft.prompt] for d in found],
        },
    )
