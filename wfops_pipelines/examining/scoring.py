"""The anomaly scorer's answer about one snapshot, as findings for the verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from wfops_pipelines import anomaly
from wfops_pipelines.core.findings import Finding, Json, Severity
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.store.row_models import Source, Stored
from wfops_pipelines.store.versions import versions
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_TO_LEARN_FROM = 300  # fewer published rows cannot tell an odd row from a new one
MOST_TO_LEARN_FROM, LEAST_OF_EACH = 400_000, 20_000  # rows in memory, of several snapshots
REASONS = 3
TOLD = 1_000  # odd rows of a column whose reasons the evidence keeps


@dataclass(frozen=True, slots=True)
class Scored:
    """Findings, the new profile as JSON (None: as the last one), and what the evidence keeps.

    `fitted` is a row model that had to be fitted, to be kept for the next snapshots.
    """

    findings: tuple[Finding, ...]
    profile: str | None
    summary: dict[str, Json]
    fitted: Stored | None = None


def score(
    sync: Sync,
    found: Rows,
    history: Mapping[int, str],
    decided: Mapping[str, tuple[int, int]],
    stored: Stored | None,
    published: Mapping[Source, Rows],
    asked: tuple[datetime | None, datetime | None] | None = None,
    settled: Collection[str] = (),
) -> Scored:
    """Score a snapshot against the profiles of published ones, and its rows against their rows.

    `asked` is the stretch of the cursor that it was extracted for, as far as it is known. `settled`
    are the columns whose type is the published one, whatever the last profile says: of an edited
    snapshot there is none, and a person may have let an older one go since.
    The summary holds all that the scores came from beside the profiles: whose they are, the
    weights, the budget, the scorer's version, the row model's digest and the sources it can be
    fitted again from. With them, anybody gets the same bits again.
    """
    new = anomaly.profile(found.parts(), key=sync.key, cursor=sync.cursor, window=asked)
    profiles = [anomaly.Profile.from_json(text) for text in history.values()]
    retyped = _retyped(profiles, new, settled)
    weights = anomaly.weights(decided)
    scored = anomaly.score_snapshot(
        profiles, new, false_holds=sync.policy.false_holds, weights=weights
    )
    unchanged = sync.cursor is None and bool(profiles) and new.digest == profiles[-1].digest
    if unchanged and new.rows:  # the source has no news; that is no replay, and no day of its own
        scored = replace(scored, p_value=1.0, held=False, score=0.0, findings=())
    findings = _findings(scored)
    summary: dict[str, Json] = {
        "p_value": scored.p_value,
        "score": scored.score,
        "held": scored.held,
        "basis": scored.basis,
        "history": len(profiles),
        "snapshots": [*history],
        "weights": {**weights},
        "false_holds": sync.policy.false_holds,
        "scorer": anomaly.VERSION,
        "profile": new.version,
    }
    if retyped:
        summary["retyped"] = [*retyped]  # in the last profile, as they are now
    fitted = _fit(sync, published) if stored is None else None
    model = stored or fitted
    rows = _rows(sync, found, model) if model is not None else []
    summary["rows"] = _model_json(model)
    profile = None if unchanged else new.to_json()
    return Scored((*findings, *rows), profile, summary, fitted)


def _retyped(
    profiles: list[anomaly.Profile], new: anomaly.Profile, settled: Collection[str]
) -> list[str]:
    """The settled columns of the last profile that had another type, which is changed in place."""
    if not profiles:
        return []
    now = {c.name: c.type for c in new.columns if c.name in settled}
    last = profiles[-1]
    columns = tuple(replace(c, type=now.get(c.name, c.type)) for c in last.columns)
    profiles[-1] = replace(last, columns=columns)
    return [c.name for c, was in zip(columns, last.columns, strict=True) if c.type != was.type]


def _findings(scored: anomaly.SnapshotScore) -> list[Finding]:
    """What made a snapshot be held is critical; what is merely worth a look is information.

    What lies within the last snapshots' values holds nothing, unless all of it does: then they are
    odd together, and the strongest speaks for them.
    """
    beyond = [f for f in scored.findings if not _within(f.past)] or scored.findings[:1]
    return [_finding(f, held=scored.held and f in beyond) for f in scored.findings]


def _within(past: Sequence[float]) -> bool:
    return len(past) > 1 and min(past[:-1]) <= past[-1] <= max(past[:-1])


def _finding(found: anomaly.SnapshotFinding, *, held: bool) -> Finding:
    return Finding(
        check="anomaly",
        severity=Severity.CRITICAL if held else Severity.INFO,
        sentence=found.sentence,
        column=found.column,
        measured=found.measured,
        expected=found.expected,
        details={
            "statistic": found.statistic,
            "kind": found.kind,
            "contribution": found.contribution,
            "past": [*found.past],
        },
    )


def _fit(sync: Sync, published: Mapping[Source, Rows]) -> Stored | None:
    """A row model of published rows; None while they are too few to tell odd from new."""
    published = _of_one_kind(published)
    if sum(t.num_rows for t in published.values()) < ROWS_TO_LEARN_FROM:
        return None
    each = max(LEAST_OF_EACH, MOST_TO_LEARN_FROM // len(published))
    model = anomaly.fit_rows([_sample(t, each) for t in published.values()], key=sync.key)
    return Stored(anomaly.ROWS_VERSION, tuple(published), model.to_json())


def _of_one_kind(published: Mapping[Source, Rows]) -> Mapping[Source, Rows]:
    """Those whose columns can be learned from together with the newest one's.

    Where a person has let numbers go as texts, those before or after are of another kind.
    """
    import pyarrow as pa

    newest = [rows.schema for rows in published.values()][-1:]

    def fits(rows: Rows) -> bool:
        try:
            return bool(pa.unify_schemas([*newest, rows.schema], promote_options="permissive"))
        except pa.ArrowException:
            return False

    return {source: rows for source, rows in published.items() if fits(rows)}


def _sample(rows: Rows, most: int) -> pa.Table:
    """About `most` rows of them, chosen by content; all of them where they are no more."""
    import numpy as np
    import pyarrow as pa

    if rows.num_rows <= most:
        return rows.whole()
    hashes = np.concatenate([versions(part) for part in rows.parts()])
    return rows.filter(pa.array(hashes < np.partition(hashes, most)[most])).whole()


def _model_json(model: Stored | None) -> Json:
    if model is None:
        return None
    digest = hashlib.sha256(model.body.encode()).hexdigest()
    sources: list[Json] = [[s.seq, s.digest, [*s.parts], s.refused] for s in model.sources]
    return {"model": digest, "version": model.version, "sources": sources}


def _rows(sync: Sync, found: Rows, stored: Stored) -> list[Finding]:
    """The rows that the budget calls too odd, told together where one column makes them so.

    The budget is one of snapshots: a row is held when its p-value, multiplied by the number of
    rows (Bonferroni), is within it, so that a normal snapshot has an odd row as rarely as asked.
    A snapshot without a column that the model knows is held for its schema, not row by row.
    """
    model = anomaly.RowModel.from_json(stored.body)
    if not found.num_rows or not set(found.column_names) >= set(model.columns):
        return []
    limit = sync.policy.false_holds / found.num_rows
    columns = list(dict.fromkeys((sync.key, *model.columns)))
    groups: dict[str | None, _Odd] = {}
    for part in found.parts(columns):
        odd = anomaly.odd_rows(model, part, limit)
        for i, (at, column) in enumerate(zip(odd.numbers, odd.columns, strict=True)):
            key = str(part[sync.key][at].as_py())
            groups.setdefault(column, _Odd(sync.policy.masked)).add(key, odd, i)
    return [groups[c].finding(c, sync.key) for c in sorted(groups, key=lambda c: (c is None, c))]


@dataclass(slots=True)
class _Odd:
    """Rows that one column makes odd. reasons: of the first of them, by key."""

    masked: Sequence[str]
    keys: list[str] = field(default_factory=list)
    reasons: dict[str, Json] = field(default_factory=dict)
    score: float = -1.0
    oddest: tuple[str, str] = ("", "")  # its key and why, in words

    def add(self, key: str, odd: anomaly.OddRows, i: int) -> None:
        self.keys.append(key)
        kept, stronger = len(self.reasons) < TOLD, float(odd.score[i]) > self.score
        if not kept and not stronger:
            return
        told = [(r, self._words(r)) for r in odd.reasons(i, REASONS)]
        if kept:
            self.reasons[key] = [[r.column, r.contribution, words] for r, words in told]
        if stronger:
            said = "; ".join(words for _, words in told) or "an unusual combination of values"
            self.score, self.oddest = float(odd.score[i]), (key, said)

    def _words(self, reason: anomaly.RowReason) -> str:
        return f"{reason.column} (masked)" if reason.column in self.masked else reason.sentence

    def finding(self, column: str | None, key: str) -> Finding:
        name = "a row" if key in self.masked else f"row {self.oddest[0]}"
        unlike = "unlike the published rows"
        if len(self.keys) == 1:
            sentence = f"{name} is {unlike}: {self.oddest[1]}"
        else:
            sentence = f"{len(self.keys):,} rows are {unlike}, most of all {name}: {self.oddest[1]}"
        return Finding(
            check="anomaly:row",
            severity=Severity.CRITICAL,
            sentence=sentence,
            column=column,
            keys=tuple(self.keys),
            details={"reasons": self.reasons},
        )
