"""Examine one snapshot: every examiner, even when another one failed; nothing fails open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.drafts import Drafted, draft_findings
from wfops_pipelines.core.findings import CheckResult, Finding, Json, Severity, counted_rows
from wfops_pipelines.core.policy import Above, Always, NewRow, Policy
from wfops_pipelines.core.snapshot import Diff, Evidence, Snapshot
from wfops_pipelines.core.waivers import Waiver, set_aside
from wfops_pipelines.destinations import Existing
from wfops_pipelines.store.row_models import Source, Stored
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

    from wfops_pipelines.checks.suite import Suite

MANY = 5  # keys that a sentence spells out


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier snapshots and the destination say. Read before examining, in one place.

    schema, previous_rows: of the last published snapshot. profiles: of published snapshots,
    oldest first, as JSON by their number. decided: what people said of the scorer's holds, by kind
    of finding. model: the row model that still serves; published: the rows to fit another one on by
    where they came from, or only the newest where one serves. existing, diff: from the destination.
    waivers: those that count now. drafts: what was proposed for the snapshot's rows.
    """

    schema: pa.Schema | None = None
    previous_rows: int | None = None
    profiles: Mapping[int, str] = field(default_factory=dict)
    decided: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    published: Mapping[Source, pa.Table] = field(default_factory=dict)
    model: Stored | None = None
    existing: Existing = field(default_factory=lambda: Existing({}))
    diff: Diff | None = None
    waivers: Sequence[Waiver] = ()
    drafts: Sequence[Drafted] = ()


@dataclass(frozen=True, slots=True)
class Examined:
    """The evidence, and the profile that joins the history if the snapshot is published.

    `model` is a row model that was fitted for this examination and serves later ones.
    """

    evidence: Evidence
    profile: str | None
    model: Stored | None = None


def examine(
    sync: Sync, suite: Suite, snapshot: Snapshot, table: pa.Table, past: Past | Exception
) -> Examined:
    """All findings about a snapshot. `past` is an error where the destination could not be read."""
    findings: list[Finding] = []
    results: tuple[CheckResult, ...] = ()
    anomaly: dict[str, Json] = {}
    profile: str | None = None
    model: Stored | None = None
    known = past if isinstance(past, Past) else Past()

    def run(examiner: str, examination: Callable[[], Iterable[Finding]]) -> None:
        try:
            findings.extend(examination())
        except Exception as error:
            findings.append(_crashed(examiner, error))

    def expectations() -> Iterable[Finding]:
        nonlocal results
        from wfops_pipelines.checks.examine import findings_of
        from wfops_pipelines.checks.gx import run_suite

        results = run_suite(suite, table, key=sync.key, previous_rows=known.previous_rows)
        return set_aside(findings_of(results), results, known.waivers)

    def anomalies() -> Iterable[Finding]:
        nonlocal anomaly, profile, model
        from wfops_pipelines.scoring import score

        scored = score(sync, table, known.profiles, known.decided, known.model, known.published)
        anomaly, profile, model = scored.summary, scored.profile, scored.fitted
        return scored.findings

    if isinstance(past, Exception):
        findings.append(_crashed("destination", past))
    run("key", lambda: key_findings(table, sync.key))
    run("schema", lambda: _drift(known.schema, table))
    run("edited", lambda: edited_findings(snapshot))
    run("drafted", lambda: _drafted(known.drafts, table, sync.key))
    run("policy", lambda: policy_findings(table, sync.policy))
    run("expectations", expectations)
    if sync.key in table.column_names:  # without it, no row can be named: held already
        run("anomaly", anomalies)
        run("critical_changes", lambda: critical_changes(known.diff))
        run("high_impact", lambda: high_impact(table, sync.key, sync.policy, known.existing))
    evidence = Evidence(
        sync=sync.name,
        seq=snapshot.seq,
        digest=snapshot.digest,
        rows=snapshot.rows,
        findings=tuple(findings),
        results=results,
        diff=known.diff,
        anomaly=anomaly,
    )
    return Examined(evidence, profile, model)


def key_findings(table: pa.Table, key: str) -> list[Finding]:
    """A key that is missing, null or twice cannot name rows: it holds the whole snapshot."""
    if key not in table.column_names:
        return [_key(key, f"there is no key column {key!r}", 0)]
    column = table[key]
    nulls, distinct = column.null_count, len(column.unique())
    found = []
    if nulls:
        found.append(_key(key, f"{nulls:,} of {table.num_rows:,} rows have no {key}", nulls))
    if distinct < table.num_rows:
        twice = table.num_rows - distinct
        found.append(_key(key, f"{twice:,} rows repeat the {key} of another row", twice))
    return found


def _drafted(drafts: Sequence[Drafted], table: pa.Table, key: str) -> list[Finding]:
    if not drafts or key not in table.column_names:
        return []
    return draft_findings(drafts, frozenset(str(k) for k in table[key].to_pylist()))


def edited_findings(snapshot: Snapshot) -> list[Finding]:
    """What a person changed: all of it waits for somebody else, one finding for each column."""
    found = []
    for column in dict.fromkeys(e[1] for e in snapshot.edits):
        cells = [[key, old, new] for key, c, old, new in snapshot.edits if c == column]
        changes: list[Json] = [list(cell) for cell in cells]
        said = f"{snapshot.edited_by} edited {column} in {counted_rows(len(changes))}"
        details: dict[str, Json] = {"changes": changes, "origin": snapshot.origin}
        found.append(
            Finding(
                check="edited",
                severity=Severity.CRITICAL,
                sentence=said,
                column=column,
                measured=len(changes),
                details=details,
            )
        )
    return found


def policy_findings(table: pa.Table, policy: Policy) -> list[Finding]:
    """A policy about a column that is not there protects nothing: it holds the whole snapshot."""
    return [
        Finding(
            check="policy",
            severity=Severity.CRITICAL,
            sentence=f"policy.{field} names the column {column!r}, which the snapshot lacks",
            column=column,
        )
        for field, column in policy.columns()
        if column not in table.column_names
    ]


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

    keys = [str(k) for k in table[key].to_pylist()]
    match rule:
        case Above(column) if column not in table.column_names:
            return ()  # policy_findings holds the whole snapshot
        case Above(column, limit):
            over = pc.fill_null(pc.greater(table[column], limit), True)
            return tuple(k for k, hit in zip(keys, over.to_pylist(), strict=True) if hit)
        case NewRow():
            return tuple(k for k in keys if k not in existing.rows)
        case Always():
            return tuple(keys)
    raise AssertionError(f"unknown rule {rule!r}")


def _impact(rule: Any, keys: tuple[str, ...]) -> Finding:
    match rule:
        case Above(column, limit, words):
            said = words or f"{column} is above {limit:,.0f}"
            sentence = f"{said}, in {counted_rows(len(keys))}: {_few(keys)}"
            return _approval(sentence, keys, column, limit)
        case NewRow(words) | Always(words):
            return _approval(f"{words}: {counted_rows(len(keys))}", keys, None, None)
    raise AssertionError(f"unknown rule {rule!r}")


def _approval(
    sentence: str, keys: tuple[str, ...], column: str | None, limit: float | None
) -> Finding:
    return Finding(
        check="high_impact",
        severity=Severity.CRITICAL,
        sentence=sentence,
        column=column,
        measured=len(keys),
        expected=None if limit is None else f"at most {limit:,.0f}",
        keys=keys,
    )


def _drift(previous: pa.Schema | None, table: pa.Table) -> Iterable[Finding]:
    from wfops_pipelines.checks.examine import schema_drift

    return schema_drift(previous, table.schema)


def _crashed(examiner: str, error: Exception) -> Finding:
    return Finding(
        check=examiner,
        severity=Severity.CRITICAL,
        sentence=(
            f"the examiner {examiner!r} failed, so nobody knows: {type(error).__name__}: "
            f"{' '.join(str(error).split())[:300]}"
        ),
        details={"crashed": True},
    )


def _key(key: str, sentence: str, measured: int) -> Finding:
    return Finding("key", Severity.CRITICAL, sentence, column=key, measured=measured, expected=0)


def _few(keys: tuple[str, ...]) -> str:
    more = f" and {len(keys) - MANY:,} more" if len(keys) > MANY else ""
    return ", ".join(keys[:MANY]) + more
