"""Ask a destination once more about rows that it would have refused: it may be repaired by now."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from wfops_pipelines.core.findings import Finding, findings_of
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import HOLDS, Review, ReviewState
from wfops_pipelines.core.verdict import would_fail
from wfops_pipelines.examining.history import read_refused
from wfops_pipelines.ledger import rows_named
from wfops_pipelines.services import Services
from wfops_pipelines.store import snapshots
from wfops_pipelines.sync import Sync

FEW = 1_000  # rows that are asked about first: while they are refused, the others need not be
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Anew:
    """What the destination says now. `refusals`: None where what was found at the time stands."""

    refusals: tuple[Finding, ...] | None = None

    @property
    def taken(self) -> bool:
        """Whether it takes everything now that it would have refused."""
        return self.refusals == ()

    def renewed(self, found: Sequence[Finding]) -> tuple[Finding, ...]:
        """The findings, with what it says now in place of what it said."""
        if self.refusals is None:
            return tuple(found)
        return (*self.refusals, *(f for f in found if not would_fail(f)))


def ask_anew(review: Review, sync: Sync, services: Services) -> Anew:
    """What the destination says now of the rows of a hold that it would have refused.

    It is asked about no others. Where it cannot be asked, what was found stands.
    """
    if review.seq is None:
        return Anew()
    with services.engine.connect() as conn:
        stored = snapshots.evidence(conn, review.sync, review.seq)
    return asked_about(findings_of(stored[1]) if stored else (), review, sync, services)


def asked_about(found: Sequence[Finding], review: Review, sync: Sync, services: Services) -> Anew:
    """As `ask_anew`, where what was found is known."""
    if review.kind not in HOLDS or review.seq is None or review.state is not ReviewState.PENDING:
        return Anew()
    refused = [f for f in found if would_fail(f)]
    if not refused:
        return Anew()
    try:
        return _asked(review.seq, sync, refused, services)
    except Exception as error:  # whatever it is, nobody knows more than before
        _LOG.info("%s cannot be asked anew: %s", sync.destination.words, type(error).__name__)
        return Anew()


def _asked(seq: int, sync: Sync, refused: Sequence[Finding], services: Services) -> Anew:
    with services.engine.connect() as conn:
        snapshot = snapshots.get(conn, sync.name, seq)
        all_ = not all(f.keys for f in refused)
        named = None if all_ else frozenset(k for f in refused for k in f.keys)
        rows = rows_named(conn, sync, snapshot, services.rows(snapshot), named)
    if rows.num_rows > FEW:
        some = Rows.of(rows.first().slice(0, FEW))
        if read_refused(sync, snapshot, some, services):
            return Anew()
    return Anew(tuple(read_refused(sync, snapshot, rows, services)))
