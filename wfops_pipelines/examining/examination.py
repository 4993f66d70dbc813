"""Examine one snapshot: every examiner, even when another one failed; nothing fails open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfops_pipelines.core.drafts import Drafted, draft_findings
from wfops_pipelines.core.findings import CheckResult, Finding, Json, Severity, counted_rows
from wfops_pipelines.core.kinds import alike
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.policy import Policy
from wfops_pipelines.core.snapshot import Diff, Evidence, Snapshot
from wfops_pipelines.core.waivers import Waiver, set_aside
from wfops_pipelines.destinations import Existing, Misfit
from wfops_pipelines.examining.contradictions import contradicted_findings
from wfops_pipelines.examining.declaration import Declared, declared_anew_findings
from wfops_pipelines.examining.impact import (
    critical_changes,
    deletions,
    high_impact,
    misfitting,
    unchanged_findings,
    unsendable,
)
from wfops_pipelines.examining.overtaken import overtaken_findings
from wfops_pipelines.examining.put_away import put_away_findings, returned_findings
from wfops_pipelines.examining.spelling import Spelled, drift, spelled
from wfops_pipelines.examining.undated import undated_findings
from wfops_pipelines.store.mixed import read_note
from wfops_pipelines.store.row_models import Source, Stored
from wfops_pipelines.store.rows import keys_of, living
from wfops_pipelines.store.spelled import as_numbers
from wfops_pipelines.store.versions import counted_keys
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

    from wfops_pipelines.checks.suite import Suite


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier snapshots and people say. Read before examining, in one place.

    schema, previous_rows: of the last published snapshot. profiles: of published snapshots,
    oldest first, as JSON by their number. decided: what people said of the scorer's holds, by kind
    of finding. model: the row model that still serves; published: the rows to fit another one on by
    where they came from, or only the newest where one serves. waivers: those that count now.
    drafts: what was proposed for the snapshot's rows. overtakes: whether a person has published one
    before in which rows of one key overtook each other. declared: what the project had said of the
    sync when rows went out last, where that differs from now. settled: see `settled.meanwhile`.
    """

    schema: pa.Schema | None = None
    previous_rows: int | None = None
    profiles: Mapping[int, str] = field(default_factory=dict)
    decided: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    published: Mapping[Source, Rows] = field(default_factory=dict)
    model: Stored | None = None
    waivers: Sequence[Waiver] = ()
    drafts: Sequence[Drafted] = ()
    overtakes: bool = False
    declared: Declared | None = None
    settled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class There:
    """What the destination says about a snapshot's rows.

    living: how many rows it holds, where the snapshot deletes some and it can say. misfits: what it
    would refuse. certain: how many of its rows would be deleted, where it is a table that knows.
    same: of the rows that came again as they were put away, those that it holds just so.
    unchanged: of those of high impact, those of which nothing would come, see `unchanged`.
    """

    existing: Existing = field(default_factory=lambda: Existing({}))
    diff: Diff | None = None
    living: int | None = None
    misfits: Sequence[Misfit] = ()
    certain: int | None = None
    same: frozenset[str] = frozenset()
    unchanged: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Examined:
    """The evidence, and the profile that joins the history if the snapshot is published.

    `model` is a row model that was fitted for this examination and serves later ones.
    """

    evidence: Evidence
    profile: str | None
    model: Stored | None = None


def examine(
    sync: Sync,
    suite: Suite,
    snapshot: Snapshot,
    rows: Rows,
    past: Past | Exception,
    ask: Callable[[], There] = There,
) -> Examined:
    """All findings about a snapshot. `past` is an error where it could not be read.

    `ask` is called when the destination's answer is needed, as late as can be: another thread may
    be waiting for it meanwhile.
    """
    findings: list[Finding] = []
    results: tuple[CheckResult, ...] = ()
    anomaly: dict[str, Json] = {}
    profile: str | None = None
    model: Stored | None = None
    known = past if isinstance(past, Past) else Past()
    there = There()
    alive = _alive(rows, known)
    retyped: tuple[Spelled, ...] = ()
    read = alive

    def run(examiner: str, examination: Callable[[], Iterable[Finding]]) -> None:
        try:
            findings.extend(examination())
        except Exception as error:
            findings.append(_crashed(examiner, error))

    def schema() -> Iterable[Finding]:
        nonlocal retyped, read
        if not alive.num_rows:
            return ()
        noted = {} if snapshot.edits else read_note(rows.schema)  # as it was before the edit
        retyped = spelled(rows, sync.key, known.schema, noted)
        read = as_numbers(alive, {s.column: s.kind for s in retyped})
        return drift(known.schema, alive, retyped, sync)

    def expectations() -> Iterable[Finding]:
        nonlocal results
        from wfops_pipelines.checks.examine import findings_of
        from wfops_pipelines.checks.gx import run_suite

        results = run_suite(
            suite, read, key=sync.key, previous_rows=known.previous_rows,
            staged=alive if retyped else None,
        )  # fmt: skip
        return set_aside(findings_of(results), results, known.waivers)

    def anomalies() -> Iterable[Finding]:
        nonlocal anomaly, profile, model
        from wfops_pipelines.examining.scoring import score

        if not alive.num_rows and sync.cursor is not None:
            return ()  # nothing but deletions: there is no row to score
        past_of = known.profiles, known.decided, known.model, known.published
        settled = _as_before(known.schema, alive)
        scored = score(sync, alive, *past_of, asked=snapshot.asked, settled=settled)
        anomaly, profile, model = scored.summary, scored.profile, scored.fitted
        return scored.findings

    def destination() -> Iterable[Finding]:
        nonlocal there
        there = ask()
        return ()

    if isinstance(past, Exception):
        findings.append(_crashed("history", past))
    run("key", lambda: key_findings(rows, sync.key))
    run("schema", schema)
    run("order", lambda: order_findings(snapshot, sync))
    run("versions", lambda: contradicted_findings(snapshot, sync))
    run("overtaken", lambda: () if known.overtakes else overtaken_findings(snapshot, rows, sync))
    run("undated", lambda: undated_findings(snapshot, rows, sync))
    run("edited", lambda: edited_findings(snapshot))
    run("asked_again", lambda: asked_again_findings(snapshot))
    run("declared_anew", lambda: declared_anew_findings(known.declared, sync))
    run("put_away", lambda: put_away_findings(known.settled, rows, sync.key))
    run("drafted", lambda: _drafted(known.drafts, rows, sync.key))
    run("policy", lambda: policy_findings(alive, sync.policy))
    run("expectations", expectations)
    if sync.key in rows.column_names:  # without it, no row can be named: held already
        run("anomaly", anomalies)
        run("unsendable", lambda: unsendable(alive, sync))
        run("destination", destination)
        stands = there.diff is not None and there.diff.changes_nothing
        if sync.cursor is None and stands and _is_replay(findings):  # and no day of its own
            findings[:] = [f for f in findings if f.check != "anomaly"]
            anomaly, profile = {**anomaly, "p_value": 1.0, "held": False, "score": 0.0}, None
        run("put_away", lambda: returned_findings(snapshot, sync, there.same))
        run("unsendable", lambda: misfitting(there.misfits, sync))
        run("critical_changes", lambda: critical_changes(there.diff))
        run("deletes", lambda: deletions(rows, sync, there.living, there.certain))
        passed = there.existing, there.unchanged
        run("high_impact", lambda: high_impact(rows, sync.key, sync.policy, *passed))
        run("unchanged", lambda: unchanged_findings(there.unchanged, sync))
    evidence = Evidence(
        sync=sync.name,
        seq=snapshot.seq,
        digest=snapshot.digest,
        rows=snapshot.rows,
        findings=tuple(findings),
        results=results,
        diff=there.diff,
        anomaly=anomaly,
    )
    return Examined(evidence, profile, model)


def _is_replay(findings: Iterable[Finding]) -> bool:
    """Whether all rows are those of an earlier snapshot that was published."""
    return any(f.check == "anomaly" and f.details["statistic"] == "replay" for f in findings)


def _as_before(previous: pa.Schema | None, rows: Rows) -> frozenset[str]:
    """The columns whose type is the one that was published."""
    before = {f.name: str(f.type) for f in previous or ()}
    return frozenset(f.name for f in rows.schema if alike(before.get(f.name, ""), str(f.type)))


def _alive(rows: Rows, past: Past) -> Rows:
    """The rows that are not deletions; where there are none, with the columns that they had."""
    alive = living(rows)
    return alive if alive.num_rows or past.schema is None else Rows.of(past.schema.empty_table())


def key_findings(rows: Rows, key: str) -> list[Finding]:
    """A key that is missing, null or twice cannot name rows: it holds the whole snapshot."""
    if key not in rows.column_names:
        return [_key(key, f"there is no key column {key!r}", 0)]
    nulls, twice = counted_keys(rows, key)
    found = []
    if nulls:
        said, some = f"{nulls:,} of {rows.num_rows:,} rows have no {key}", nulls < rows.num_rows
        found.append(_key(key, said, nulls, nameless=some))
    if twice:
        found.append(_key(key, f"{twice:,} rows repeat the {key} of another row", twice))
    return found


def _drafted(drafts: Sequence[Drafted], rows: Rows, key: str) -> list[Finding]:
    if not drafts or key not in rows.column_names:
        return []
    asked = frozenset(d.key for d in drafts)
    here = (asked.intersection(keys_of(part[key])) for part in rows.parts([key]))
    return draft_findings(drafts, frozenset().union(*here))


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


def asked_again_findings(snapshot: Snapshot) -> list[Finding]:
    """All rows that were put away wait for somebody else, whatever is found about them now."""
    if snapshot.reopened_by is None:
        return []
    rows = counted_rows(snapshot.rows)
    said = f"{snapshot.reopened_by} asks again about {rows} that an approval had left out"
    details: dict[str, Json] = {"origin": snapshot.origin}
    return [
        Finding("asked_again", Severity.CRITICAL, said, measured=snapshot.rows, details=details)
    ]


def order_findings(snapshot: Snapshot, sync: Sync) -> list[Finding]:
    """Rows of which nobody can tell whether they are newer than what came before."""
    doubted = [doubt for doubt in snapshot.doubted if doubt[1]]
    if not doubted:
        return []
    keys = tuple(key for key, _ in doubted)
    first, before = doubted[0]
    row = "one of them" if sync.key in sync.policy.masked else first
    said = (
        f"the {sync.cursor} of {counted_rows(len(keys))} does not say whether "
        f"{'it is' if len(keys) == 1 else 'they are'} newer than "
        f"what came before ({row}: a version of {before}): it goes back or lies in the future. "
        "Either a wrong date was mended, and these rows are right, or an answer came from a copy "
        "that lags, and they are old"
    )
    found: list[Json] = [list(doubt) for doubt in doubted]
    details: dict[str, Json] = {"before": found}
    return [Finding("order", Severity.CRITICAL, said, sync.cursor, len(keys), 0, keys, details)]


def policy_findings(rows: Rows, policy: Policy) -> list[Finding]:
    """A policy about a column that is not there protects nothing: it holds the whole snapshot."""
    return [
        Finding(
            check="policy",
            severity=Severity.CRITICAL,
            sentence=f"policy.{field} names the column {column!r}, which the snapshot lacks",
            column=column,
        )
        for field, column in policy.columns()
        if column not in rows.column_names
    ]


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


def _key(key: str, sentence: str, measured: int, *, nameless: bool = False) -> Finding:
    details: dict[str, Json] = {"nameless": True} if nameless else {}
    return Finding(
        "key", Severity.CRITICAL, sentence, column=key, measured=measured, expected=0,
        details=details,
    )  # fmt: skip
