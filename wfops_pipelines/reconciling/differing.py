"""A published row beside what the destination holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wfops_pipelines.core.same import same
from wfops_pipelines.core.snapshot import DELETED, number_in
from wfops_pipelines.destinations import Existing
from wfops_pipelines.destinations.names import SEQ
from wfops_pipelines.reconciling.standing import row_of


def differs(held: Existing, key: str, row: Mapping[str, Any], rank: int) -> tuple[str | None, bool]:
    """What is wrong with the destination's row, and whether it may be so after a revert.

    Where something newer was reverted, the destination holds again what it held before that.
    """
    found = held.rows.get(key)
    if row.get(DELETED):
        return None if found is None else "deleted, but it lives at the destination", True
    if found is None:
        return "published, but the destination does not hold it", True
    place = found.get(SEQ, rank)
    if place < rank:
        return f"the destination holds the older row of #{place}", True
    if place > rank:
        return f"the destination holds a row of #{place} that was not published", False
    other = sorted(c for c in found if c in row and not same(found[c], row[c]))
    return f"the destination holds other values of {', '.join(other)}" if other else None, False


def held_now(there: Mapping[str, Any] | None) -> str:
    """Which row the destination holds, in words; an API does not say of which snapshot it is."""
    if there is None:
        return row_of(None)
    return row_of(number_in(there[SEQ])) if SEQ in there else "an older row of it"
