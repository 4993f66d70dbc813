"""What a snapshot would do: critical fields, deletions, and what a policy calls high impact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.findings import Finding, Json, Severity, counted_rows
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.policy import Above, Always, HighImpact, NewRow, Policy
from wfops_pipelines.core.snapshot import DELETED, Diff
from wfops_pipelines.destinations import Choosy, Existing, Misfit
from wfops_pipelines.store.rows import keys_of, living_rows, texts, tombstones
from wfops_pipelines.store.spelled import numbers
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

MANY = 5  # keys that a sentence spells out
UNCHANGED = "unchanged"  # the check that names rows of high impact that nobody is asked about


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
            )
        )
    return found


def unsendable(rows: Rows, sync: Sync) -> list[Finding]:
    """Rows of which the destination can tell by itself that it will not take them."""
    refused: dict[str, str] = {}
    if isinstance(sync.destination, Choosy):
        refused = sync.destination.unsendable(rows, sync.key)
    if not refused:
        return []
    keys, why = tuple(refused), next(iter(refused.values())).rstrip(".")
    named = "" if sync.key in sync.policy.masked else f", {_few(keys)}"
    sentence = f"{counted_rows(len(keys))} cannot be sent{named}: {why}"
    return [Finding("unsendable", Severity.CRITICAL, sentence, None, len(keys), 0, keys)]


REPAIR = (
    "Mend the values at the source, in the sync's function or by an edit, leave the rows out, or "
    "change the table: as they are, publishing them would fail"
)


def misfitting(misfits: Sequence[Misfit], sync: Sync) -> list[Finding]:
    """What the destination would refuse once it is published, one finding for each reason."""
    found = []
    for misfit in misfits:
        keys = misfit.keys
        named = "" if sync.key in sync.policy.masked or not keys else f" ({_few(keys)})"
        rows = counted_rows(len(keys)) if keys else "the rows"
        said = (
            f"{rows}{named} cannot be written to {sync.destination.words}: {misfit.why}. {REPAIR}"
        )
        measured, expected = (len(keys), 0) if keys else (None, None)
        found.append(
            Finding("unsendable", Severity.CRITICAL, said, misfit.column, measured, expected, keys)
        )
    return found


def deletions(
    rows: Rows, sync: Sync, living: int | None, certain: int | None = None
) -> list[Finding]:
    """More deletions than may go without a person hold the rows that they delete.

    `living` rows are at the destination, and `certain` of them are what the deletions name; None
    where it cannot say. What is not there cannot be deleted: a first load may tell of many.
    """
    keys, count = [], 0
    for part in rows.parts([sync.key, DELETED]) if DELETED in rows.column_names else ():
        gone = tombstones(part)
        count += gone.num_rows
        keys += [k for k in texts(gone[sync.key]) if k is not None]
    share = sync.policy.delete_rows_up_to
    allowed = 0 if living is None or not share else max(1, int(share * living))
    count = min(n for n in (count, living, certain) if n is not None)
    if count <= allowed:
        return []
    of = "" if living is None else f" of {living:,} rows that the destination holds"
    sentence = (
        f"{counted_rows(count)} would be deleted{of}; up to {allowed:,} may go without a person"
    )
    return [
        Finding(
            check="deletes",
            severity=Severity.CRITICAL,
            sentence=sentence,
            measured=count,
            expected=f"at most {allowed:,}",
            keys=tuple(keys),
        )
    ]


def high_impact(
    rows: Rows,
    key: str,
    policy: Policy,
    existing: Existing,
    unchanged: frozenset[str] = frozenset(),
) -> list[Finding]:
    """One finding for each high-impact rule that some rows meet, but those that are `unchanged`."""
    found = []
    for rule in policy.high_impact:
        wanted = [key, DELETED, *([rule.column] if isinstance(rule, Above) else [])]
        names = [c for c in dict.fromkeys(wanted) if c in rows.column_names]
        met = (k for p in rows.parts(names) for k in _meeting(rule, p, key, existing))
        keys = tuple(k for k in met if k not in unchanged)
        if keys:
            unknown = [_unknown(rule, part, key) for part in rows.parts(names)]
            empty, none = (
                [k for some in each for k in some if k not in unchanged]
                for each in zip(*unknown, strict=True)
            )
            found.append(_impact(rule, keys, empty, none, hidden=key in policy.masked))
    return found


def unchanged_findings(unchanged: frozenset[str], sync: Sync) -> list[Finding]:
    """Rows of high impact of which nobody is asked, as nothing would come of them.

    Whether that is still so is looked at again when they are published.
    """
    if not unchanged:
        return []
    keys = tuple(sorted(unchanged))
    sentence = (
        f"{counted_rows(len(keys))} of high impact as "
        f"{'it' if len(keys) == 1 else 'they'} went out last and as "
        f"{sync.destination.words} still holds {'it' if len(keys) == 1 else 'them'}: nothing would "
        "come of publishing, so nobody is asked again"
    )
    return [Finding(UNCHANGED, Severity.INFO, sentence, measured=len(keys), keys=keys)]


def _unknown(rule: HighImpact, part: pa.Table, key: str) -> tuple[list[str], list[str]]:
    """The living rows whose amount is empty, and those where it is no number.

    Such rows wait as those do whose amount is too high.
    """
    import pyarrow.compute as pc

    if not isinstance(rule, Above) or rule.column not in part.column_names:
        return [], []
    part = living_rows(part)
    amounts = part[rule.column]
    empty, known = pc.is_null(amounts), numbers(amounts)
    if not known.null_count:
        return [], []
    none = pc.and_not(pc.is_null(known), empty)
    return keys_of(part[key].filter(empty)), keys_of(part[key].filter(none))


def _meeting(rule: HighImpact, part: pa.Table, key: str, existing: Existing) -> Iterator[str]:
    import pyarrow.compute as pc

    if not isinstance(rule, Always):
        part = living_rows(part)  # a deletion has no amount, and is nothing new
    match rule:
        case Above(column) if column not in part.column_names:
            return iter(())  # policy_findings holds the whole snapshot
        case Above(column, limit):
            over = pc.fill_null(pc.greater(numbers(part[column]), limit), True)
            return iter(keys_of(part[key].filter(over)))
        case NewRow():
            return (k for k in keys_of(part[key]) if k not in existing.rows)
        case Always():
            return iter(keys_of(part[key]))


def _impact(
    rule: Any, keys: tuple[str, ...], empty: list[str], none: list[str], *, hidden: bool
) -> Finding:
    match rule:
        case Above(column, limit, words):
            said = words or f"{column} is above {limit:,.10g}"
            what = {"empty": empty, "no number": none}
            named = "" if hidden else f": {_few(keys)}"
            sentence = f"{_large(said, rule, len(keys), what)}{named}"
            reasons: dict[str, Json] = {
                k: [[column, 1.0, f"{said}? {column} is {how}"]]
                for how, some in what.items()
                for k in some
            }
            return _approval(said, sentence, keys, column, limit, reasons)
        case NewRow(words) | Always(words):
            return _approval(words, f"{words}: {counted_rows(len(keys))}", keys, None, None)
    raise AssertionError(f"unknown rule {rule!r}")


def _large(said: str, rule: Above, rows: int, what: Mapping[str, list[str]]) -> str:
    """In how many rows the rule is met, and in how many nobody knows."""
    unknown = {how: len(some) for how, some in what.items() if some}
    met = rows - sum(unknown.values())
    if not unknown:
        return f"{said}, in {counted_rows(met)}"
    where = " and ".join(f"{how} in {counted_rows(n)}" for how, n in unknown.items())
    nobody = f"{rule.column} is {where}, so nobody knows whether it is above {rule.limit:,.10g}"
    return f"{said}, in {counted_rows(met)}; {nobody}" if met else f"{said}? {nobody}"


def _approval(
    rule: str,
    sentence: str,
    keys: tuple[str, ...],
    column: str | None,
    limit: float | None,
    reasons: Mapping[str, Json] = MappingProxyType({}),
) -> Finding:
    return Finding(
        check="high_impact",
        severity=Severity.CRITICAL,
        sentence=sentence,
        column=column,
        measured=len(keys),
        expected=None if limit is None else f"no row above {limit:,.10g}",
        keys=keys,
        details={"rule": rule, **({"reasons": {**reasons}} if reasons else {})},
    )


def _few(keys: tuple[str, ...]) -> str:
    more = f" and {len(keys) - MANY:,} more" if len(keys) > MANY else ""
    return ", ".join(keys[:MANY]) + more
