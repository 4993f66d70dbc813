"""What a snapshot would do: critical fields, deletions, and what a policy calls high impact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.findings import Finding, Severity, counted_rows
from wfops_pipelines.core.policy import Above, Always, NewRow, Policy
from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations import Existing
from wfops_pipelines.store.rows import keys_of, living_rows, texts, tombstones
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

MANY = 5  # keys that a sentence spells out


def critical_changes(diff: Diff | None) -> list[Finding]:
    """One finding for each critical column in which existing rows of the destination change."""
    found = []
    for column in dict.fromkeys(c[1] for c in diff.changes) if diff else ():
        changes = [c for c in diff.changes if c[1] == column] if diff else []
        keys = tuple(c[0] for c in changes)
        found.append(
            Finding(
                check="critical_changes",
                severity=Severity.CRITICAL,
                sentence=(
                    f"{column} changes in {counted_rows(len(keys))} that the destination holds"
                ),
                column=column,
                measured=len(keys),
                expected=0,
                keys=keys,
                details={"changes": [[k, old, new] for k, _, old, new in changes]},
            )
        )
    return found


def deletions(table: pa.Table, sync: Sync, living: int | None) -> list[Finding]:
    """More deletions than may go without a person hold the rows that they delete."""
    gone = tombstones(table)
    share = sync.policy.delete_rows_up_to
    allowed = 0 if living is None or not share else max(1, int(share * living))
    if gone.num_rows <= allowed:
        return []
    of = "" if living is None else f" of {living:,} rows that the destination holds"
    sentence = (
        f"{counted_rows(gone.num_rows)} would be deleted{of}; "
        f"up to {allowed:,} may go without a person"
    )
    keys = tuple(k for k in texts(gone[sync.key]) if k is not None)
    return [
        Finding(
            check="deletes",
            severity=Severity.CRITICAL,
            sentence=sentence,
            measured=gone.num_rows,
            expected=f"at most {allowed:,}",
            keys=keys,
        )
    ]


def high_impact(table: pa.Table, key: str, policy: Policy, existing: Existing) -> list[Finding]:
    """One finding for each high-impact rule that some rows meet."""
    found = []
    for rule in policy.high_impact:
        keys = _meeting(rule, table, key, existing)
        if keys:
            found.append(_impact(rule, keys))
    return found


def _meeting(rule: Any, table: pa.Table, key: str, existing: Existing) -> tuple[str, ...]:
    import pyarrow.compute as pc

    if not isinstance(rule, Always):
        table = living_rows(table)  # a deletion has no amount, and is nothing new
    match rule:
        case Above(column) if column not in table.column_names:
            return ()  # policy_findings holds the whole snapshot
        case Above(column, limit):
            over = pc.fill_null(pc.greater(table[column], limit), True)
            return tuple(keys_of(table[key].filter(over)))
        case NewRow():
            return tuple(k for k in keys_of(table[key]) if k not in existing.rows)
        case Always():
            return tuple(keys_of(table[key]))
    raise AssertionError(f"unknown rule {rule!r}")


def _impact(rule: Any, keys: tuple[str, ...]) -> Finding:
    match rule:
        case Above(column, limit, words):
            said = words or f"{column} is above {limit:,.0f}"
            sentence = f"{said}, in {counted_rows(len(keys))}: {_few(keys)}"
            return _approval(said, sentence, keys, column, limit)
        case NewRow(words) | Always(words):
            return _approval(words, f"{words}: {counted_rows(len(keys))}", keys, None, None)
    raise AssertionError(f"unknown rule {rule!r}")


def _approval(
    rule: str, sentence: str, keys: tuple[str, ...], column: str | None, limit: float | None
) -> Finding:
    return Finding(
        check="high_impact",
        severity=Severity.CRITICAL,
        sentence=sentence,
        column=column,
        measured=len(keys),
        expected=None if limit is None else f"at most {limit:,.0f}",
        keys=keys,
        details={"rule": rule},
    )


def _few(keys: tuple[str, ...]) -> str:
    more = f" and {len(keys) - MANY:,} more" if len(keys) > MANY else ""
    return ", ".join(keys[:MANY]) + more
