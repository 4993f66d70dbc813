"""What came of a review request, in words: of the rows that it held, and of drafts for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from wfops_pipelines.core.findings import counted_rows
from wfops_pipelines.core.reviews import REFUSED, Review, ReviewKind, ReviewState
from wfops_pipelines.ledger import HELD, Publication

_REFUSED_BY = {
    ReviewState.REJECTED: "rejected, and stay in quarantine",
    ReviewState.EXPIRED: "rejected at the deadline, and stay in quarantine",
}


def of_rows(asked: Review | None, published: Sequence[Publication]) -> str:
    """Who answered and how, and what went out; nothing while a person has not answered."""
    told = []
    if asked is not None and asked.state is ReviewState.PENDING:
        told = ["The request about it waits for a person"] if any(p.rows for p in published) else []
    elif asked is not None:
        when = f" on {_at(asked.decided_at)}" if asked.decided_at else ""
        told = [f"{asked.state.value.capitalize()} by {asked.decided_by}{when}"]
    told += [
        f"{counted_rows(p.rows)} ({p.part}) published on {_at(p.published_at)}"
        f"{_reverted(p, ', and taken back')}"
        for p in published
        if p.rows
    ]
    if asked is not None and asked.state is ReviewState.APPROVED and not _let_go(asked, published):
        told.append("not published yet")
    if asked is not None and asked.state in REFUSED:
        told.append("what was held stays in quarantine")
    return "; ".join(told)


def of_drafts(asked: Review, left_out: Collection[str], published: Sequence[Publication]) -> str:
    """What came of the drafts of a request that waits no more; `left_out` are keys of its rows."""
    went = _let_go(asked, published)
    if went is None:
        return _stayed(asked)
    when, back = _at(went.published_at), _reverted(went, " It was taken back", ".")
    if went.part != HELD:
        return (
            f"Of the rows that no finding names it went out with them on {when}; what was drafted "
            f"for the others stays in quarantine.{back}"
        )
    but = f", but for {counted_rows(len(left_out))} left out, in quarantine" if left_out else ""
    return (
        f"It went out with the approved rows on {when}{but}. A proposed repair changes nothing, "
        f"unless an edit made it.{back}"
    )


def _let_go(asked: Review, published: Sequence[Publication]) -> Publication | None:
    """What the approval was about, once it is out, whether or not it was taken back since.

    Of a whole snapshot whose clean rows were approved these are the clean ones.
    """
    whole = asked.kind is ReviewKind.WHOLE
    return next((p for p in published if p.part == HELD or whole), None)


def _stayed(asked: Review) -> str:
    if asked.state is ReviewState.APPROVED:
        return "It was approved with its rows, which have not gone out yet: their turn comes."
    if asked.state in REFUSED:
        return f"Nothing of it has gone out: the rows were {_REFUSED_BY[asked.state]}."
    return (
        "Nothing of it has gone out by this request: an edit or a newer snapshot took its place, "
        "and the request about that says what became of it."
    )


def _reverted(went: Publication, words: str, end: str = "") -> str:
    return f"{words} on {_at(went.reverted_at)}{end}" if went.reverted_at else ""


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
