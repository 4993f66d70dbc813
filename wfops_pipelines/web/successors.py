"""What took the place of a request that was superseded: where a reader goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from wfops_pipelines.core import links
from wfops_pipelines.core.audit import Action
from wfops_pipelines.core.reviews import Review, ReviewState
from wfops_pipelines.store import audit, reviews

_SAID_BY = (Action.SUPERSEDED, Action.EDITED)


@dataclass(frozen=True, slots=True)
class Successor:
    """The next request, or the report of a snapshot that needed none."""

    words: str
    href: str


def successors(conn: Connection, found: Sequence[Review]) -> dict[str, Successor]:
    """Of each superseded one that another took the place of, by its id."""
    old = {r.id: r for r in found if r.state is ReviewState.SUPERSEDED}
    if not old:
        return {}
    told = audit.of_actions(conn, {r.subject for r in old.values()}, _SAID_BY)
    by = {
        str(e["details"]["review"]): e["details"].get("by") or e["details"].get("edited")
        for e in told
    }
    named = {id: _successor(conn, old[id], by.get(id)) for id in old}
    return {id: one for id, one in named.items() if one is not None}


def _successor(conn: Connection, old: Review, by: object) -> Successor | None:
    """`by` is a review request, a snapshot's name, or the number of the one that an edit made."""
    if by is None:
        return None
    if isinstance(by, str) and "#" not in by:
        return Successor(f"the request about the later try, {by}", links.review_page(by))
    seq = by if isinstance(by, int) else int(str(by).rpartition("#")[2])
    why = "the edited snapshot" if isinstance(by, int) else "the newer snapshot"
    asked = reviews.of_snapshot(conn, old.sync, seq)
    if asked is None:
        return Successor(f"{why} #{seq}", links.report_page(old.sync, seq))
    does = "waits" if asked.state is ReviewState.PENDING else f"is {asked.state.value}"
    return Successor(f"the request about {why} #{seq}, which {does}", links.review_page(asked.id))
