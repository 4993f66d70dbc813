"""Which rules of repair people have accepted so often that they could stand."""

from __future__ import annotations

from sqlalchemy import Connection

from wfops_pipelines.assist.declared import Tidy
from wfops_pipelines.core.drafts import DraftState
from wfops_pipelines.store import drafts
from wfops_pipelines.sync import Sync

ENOUGH = 5  # accepted repairs, and none refused or done otherwise


def advice(conn: Connection, sync: Sync) -> list[str]:
    """One line a rule of the sync: what became of it, and, where it may stand, what to write."""
    counts = drafts.repairs(conn, sync.name)
    rules = [a for a in sync.assist if isinstance(a, Tidy)]
    return [_line(rule, counts.get(rule.column, {})) for rule in rules]


def _line(rule: Tidy, counts: dict[DraftState, int]) -> str:
    call = f'tidy("{rule.column}", "{rule.rule}"'
    if rule.standing:
        return f"{call}, standing=True): applied {_times(counts.get(DraftState.APPLIED, 0))}"
    accepted = counts.get(DraftState.ACCEPTED, 0)
    refused = counts.get(DraftState.REFUSED, 0) + counts.get(DraftState.EDITED, 0)
    said = f"{call}): accepted {_times(accepted)}, "
    if refused:
        return f"{said}refused {_times(refused)}"
    if accepted < ENOUGH:
        return f"{said}never refused; it may stand from {ENOUGH} on"
    return f"{said}never refused. Make it standing: {call}, standing=True)"


def _times(n: int) -> str:
    return f"{n} time" if n == 1 else f"{n} times"
