"""What became of each row of a snapshot, read from what the flow wrote down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from wfops_pipelines.core.reviews import HOLDS, Actor, ReviewKind, ReviewState, Verb
from wfops_pipelines.core.snapshot import AWAY, CHANGED, NEWER, Snapshot, SnapshotState
from wfops_pipelines.ledger import AGAIN, CLEAN, HELD, LEFT_OUT
from wfops_pipelines.reconciling.standing import Turn
from wfops_pipelines.store import snapshots
from wfops_pipelines.store import tables as t
from wfops_pipelines.store.settled import ACTING, REVERTED, SETTLED


class Fate(Enum):
    """Where one row of one snapshot is. Every row has exactly one."""

    PUBLISHED = "published"  # handed to the destination, and not taken back since
    QUARANTINED = "quarantined"  # a person, or the policy at a deadline, refused it
    SUPERSEDED = "superseded"  # another snapshot stands for it: an edit of it, or a newer one
    HELD = "held"  # waits for a person
    WAITING = "waiting"  # waits for the machine
    NOWHERE = "nowhere"  # nothing that was written down says: lost


@dataclass(frozen=True, slots=True)
class Told:
    """A row's fate, in words too, and since when it is so.

    out: when it was published, also where it was to be taken back since; stayed: why that was not
    done (see `Reverted`).
    """

    fate: Fate
    words: str
    at: datetime | None = None
    out: datetime | None = None
    stayed: str | None = None

    def turn(self, snapshot: Snapshot) -> Turn | None:
        """What was done with the row of this snapshot at the destination; None: nothing."""
        back = self.at if self.fate is Fate.QUARANTINED else None
        if self.out is None:
            return None
        return Turn(snapshot.seq, snapshot.version, self.out, back, self.stayed)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written down about all snapshots of a sync, by their numbers, oldest first."""

    snapshots: Mapping[int, Snapshot]
    edits: Mapping[int, list[int]]  # by whose rows they hold
    judged: Mapping[int, list[Row[Any]]]
    reviews: Mapping[int, list[Row[Any]]]
    handed: Mapping[int, list[Row[Any]]]
    refused: Mapping[int, list[Row[Any]]]
    undone: Mapping[str, str]  # review: the decision that nobody has acted on yet

    def of(self, seq: int) -> Fates:
        """What tells the fate of each row of one snapshot."""
        snapshot = self.snapshots[seq]
        judged = self.judged.get(seq)
        held = judged[0].held_keys if judged else None
        asked = self.reviews.get(seq, [])
        later = (n for n in self.edits.get(snapshot.rank, ()) if n > seq)
        return Fates(
            snapshot=snapshot,
            judged=judged is not None,
            held=None if held is None else frozenset(held),
            named_by=judged[0].named_by if judged else None,
            review=asked[-1] if asked else None,
            errand=self.undone.get(asked[-1].id) if asked else None,
            edited=min(later, default=None),
            handed=tuple(self.handed.get(seq, ())),
            refused=tuple((r, _keys(r)) for r in self.refused.get(seq, ())),
        )


@dataclass(frozen=True, slots=True)
class Fates:
    """What was written down about one snapshot.

    held: the keys that the verdict held back; None where it was all of them or none. named_by: the
    sync's key by which rows were named then; None where that was not noted. review: the
    newest request about them. errand: the decision on it, where nobody acted on it yet. edited:
    the number of the snapshot that edits made of the held rows. handed: the publications.
    refused: what went into quarantine, with its keys; None is every row.
    """

    snapshot: Snapshot
    judged: bool
    held: frozenset[str] | None
    named_by: str | None
    review: Row[Any] | None
    errand: str | None
    edited: int | None
    handed: tuple[Row[Any], ...]
    refused: tuple[tuple[Row[Any], frozenset[str] | None], ...]

    def tell(self, key: str) -> Told:
        """What became of the row with this key."""
        if not self.judged:
            return Told(Fate.WAITING, "waiting to be examined")
        if away := self._refused(key):
            return away
        if self.review is None or not (self.held is None or key in self.held):
            return self._handed([CLEAN]) or Told(Fate.WAITING, "let go, not published yet")
        return self._reviewed(self.review)

    def _refused(self, key: str) -> Told | None:
        for row, keys in reversed(self.refused):
            if AGAIN in row.part and keys is not None and key in keys:
                number = row.part.rpartition(AGAIN)[2]
                return Told(Fate.SUPERSEDED, f"left in quarantine, then asked about as #{number}")
            if keys is None or key in keys:
                out, stayed = self._taken_back(row)
                return Told(Fate.QUARANTINED, _why_refused(row), row.at, out, stayed)
        return None

    def _taken_back(self, row: Row[Any]) -> tuple[datetime | None, str | None]:
        """When it was published, of what was; and why it stays there."""
        if not row.part.endswith(REVERTED):
            return None, None
        part, *why = row.part.removesuffix(REVERTED).split(" ")
        out = next((p.published_at for p in self.handed if p.part == part), None)
        return out, next(iter(why), None)

    def _handed(self, parts: Sequence[str]) -> Told | None:
        for p in self.handed:
            if p.part in parts and p.reverted_at is None:
                by = f" by decision {p.decision}" if p.decision else ""
                return Told(Fate.PUBLISHED, f"published{by}", p.published_at, p.published_at)
        return None

    def _reviewed(self, review: Row[Any]) -> Told:
        if review.state == ReviewState.PENDING.value:
            words = f"held by review {review.id} for {review.reviewer_group}"
            return Told(Fate.HELD, words, review.opened_at)
        if self.errand is not None:
            words = f"waiting: decision {self.errand} is not acted on yet"
            return Told(Fate.WAITING, words, review.decided_at)
        if review.state == ReviewState.SUPERSEDED.value:
            by = "superseded by a newer snapshot"
            if self.edited is not None:
                by = f"goes on as #{self.edited}, its edit, which counts in its place"
            return Told(Fate.SUPERSEDED, by, review.decided_at)
        # of a whole snapshot only the clean rows may have been approved
        parts = [HELD, CLEAN] if review.kind == ReviewKind.WHOLE.value else [HELD]
        return self._handed(parts) or Told(Fate.NOWHERE, f"review {review.id} is {review.state}")


def _why_refused(row: Row[Any]) -> str:
    if LEFT_OUT in row.part:
        who = Actor(row.actor, verified=row.verified)
        by = f"left out by {who} (decision {row.decision}): “{row.reason}”"
        return f"refused by the destination, and {by}"
    if SETTLED in row.part:
        number = row.part.rpartition(SETTLED)[2]
        return (
            f"not published: people settled it otherwise as it was in #{number}; "
            "only a change at the source brings it back"
        )
    if ACTING in row.part:
        return (
            "not published: nobody was asked about it as nothing would have come of it, and since "
            "then something would; where the source still says so, the next run asks"
        )
    if not row.part.endswith(REVERTED):
        return f"quarantined by decision {row.decision}{_way_back(row)}"
    *_, why = row.part.removesuffix(REVERTED).split(" ")
    if why in _STAYS:
        return f"to be reverted by decision {row.decision}, but {_STAYS[why]}"
    return f"reverted by decision {row.decision}; only a change at the source brings it back"


def _way_back(row: Row[Any]) -> str:
    """How a row comes back that was put away."""
    if row.review is None:
        return ""
    others = "" if row.verb == Verb.REJECT.value else ", which let others go"
    return (
        f" on review {row.review}{others}; `wfops reopen {row.review}` asks again about it as it is"
    )


_STAYS = {
    CHANGED: "it stays: somebody changed it at the destination since",
    NEWER: "the destination held a newer version by then, which stays",
    AWAY: "nothing of it was at the destination any more",
}


def read_written(conn: Connection, sync: str) -> Written:
    """All that tells the fates of a sync's rows, but the rows themselves."""
    e, r, p, q = t.evidence.c, t.reviews.c, t.publications.c, t.quarantine.c
    pending, o, d = r.state == ReviewState.PENDING.value, t.outbox.c, t.decisions.c
    holds = select(t.reviews).where(r.kind.in_([k.value for k in HOLDS]), r.seq.is_not(None))
    refused = select(t.quarantine, d.actor, d.verified, d.reason, d.review, d.verb).select_from(
        t.quarantine.outerjoin(t.decisions, d.id == q.decision)
    )
    errands = select(o.review, o.decision).where(o.sync == sync, o.done_at.is_(None))
    found = snapshots.in_state(conn, sync, *SnapshotState)
    edits: dict[int, list[int]] = defaultdict(list)
    for one in found:
        if one.origin is not None:
            edits[one.origin].append(one.seq)
    return Written(
        snapshots={s.seq: s for s in found},
        edits=edits,
        judged=_by_seq(conn, select(e.seq, e.held_keys, e.named_by).where(e.sync == sync)),
        reviews=_by_seq(conn, holds.where(r.sync == sync).order_by(pending, r.opened_at, r.id)),
        handed=_by_seq(conn, select(t.publications).where(p.sync == sync).order_by(p.published_at)),
        refused=_by_seq(conn, refused.where(q.sync == sync).order_by(q.at)),
        undone={row.review: row.decision for row in conn.execute(errands)},
    )


def _by_seq(conn: Connection, query: Select[Any]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in conn.execute(query):
        found[int(row.seq)].append(row)
    return found


def _keys(row: Row[Any]) -> frozenset[str] | None:
    keys = row._mapping["keys"]
    return None if keys is None else frozenset(keys)
