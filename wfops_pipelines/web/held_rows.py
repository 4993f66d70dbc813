"""The held rows as they were staged, with the reasons of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from wfops_pipelines.core.findings import Finding, counted
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.policy import Above, Always
from wfops_pipelines.core.reviews import Review, ReviewState
from wfops_pipelines.core.row_confidence import RowRecord
from wfops_pipelines.deciding import row_outcomes
from wfops_pipelines.errors import SnapshotDamaged
from wfops_pipelines.ledger import select_rows
from wfops_pipelines.services import Services
from wfops_pipelines.store import row_outcomes as outcomes
from wfops_pipelines.store.spelled import total
from wfops_pipelines.sync import Sync

MASK = "•••"
ROWS_SHOWN = 25

Reasons = dict[str, list[tuple[str, str]]]  # of a row, by its key: (column or "", words)


def held_rows(
    sync: Sync | None, services: Services, review: Review, seen: Mapping[str, Any]
) -> dict[str, Any]:
    """The held rows as they were staged, with the reasons of each; the flagged ones first."""
    nothing = {"columns": [], "rows": [], "more": 0, "problem": None, "impact": [], "told": []}
    if sync is None or not seen:
        return nothing
    try:
        staged = services.rows(seen["snapshot"])
    except SnapshotDamaged as damage:
        return {**nothing, "problem": str(damage)}
    if review.keys:
        staged = select_rows(staged, sync.key, frozenset(review.keys), frozenset())
    why = _reasons([*seen["findings"], *seen["more_findings"]], sync.policy.masked)
    shown = [_row(r, sync, why) for r in _first(staged, sync.key, why)]
    return {
        "columns": _key_first(staged.column_names, sync.key),
        "rows": shown,
        "more": staged.num_rows - len(shown),
        "problem": None,
        "impact": _impact(staged, sync),
        "told": [],
    }


def _first(staged: Rows, key: str, why: Reasons) -> list[dict[str, Any]]:
    """So many rows as are shown, those with a reason before the others."""
    flagged: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for part in staged.parts():
        keys = part[key].to_pylist() if key in staged.column_names else [None] * part.num_rows
        hits = [i for i, k in enumerate(keys) if str(k) in why][: ROWS_SHOWN - len(flagged)]
        flagged += part.take(hits).to_pylist() if hits else []
        quiet = (i for i, k in enumerate(keys) if str(k) not in why)
        rest = list(islice(quiet, ROWS_SHOWN - len(others)))
        others += part.take(rest).to_pylist() if rest else []
        if len(flagged) == ROWS_SHOWN:
            break
    return [*flagged, *others][:ROWS_SHOWN]


def add_confidence(
    conn: Connection, sync: Sync | None, review: Review, held: dict[str, Any]
) -> None:
    """To each flagged row the chance that it is let go as it is; the most doubtful first."""
    if sync is None or review.seq is None or review.state is not ReviewState.PENDING:
        return
    shown = {row["key"] for row in held["rows"]}
    why = row_outcomes.causes(conn, sync.name, review.seq, sync.policy, shown)
    known = RowRecord(outcomes.of_sync(conn, sync.name))
    for row in held["rows"]:
        row["confidence"] = known.confidence(why[row["key"]]) if row["key"] in why else None
    held["rows"].sort(key=lambda r: r["confidence"].chance if r["confidence"] else 2.0)
    words = dict.fromkeys(r["confidence"].words for r in held["rows"] if r["confidence"])
    held["told"] = list(words)[:3]


def _impact(staged: Rows, sync: Sync) -> list[tuple[str, str]]:
    """What letting the held rows go would set in motion: (how much, of what)."""
    found = []
    for rule in sync.policy.high_impact:
        match rule:
            case Above(column) if column in staged.column_names:
                if column not in sync.policy.masked:
                    found += _sum(staged, column)
            case Always(words):
                found.append((f"{staged.num_rows:,}", f"× {words}"))
            case _:
                pass
    return found


def _sum(staged: Rows, column: str) -> list[tuple[str, str]]:
    totals = [total(part[column]) for part in staged.parts([column])]
    there, odd = [s for s, _ in totals if s is not None], sum(n for _, n in totals)
    unread = f"{counted(odd, 'value')} {'is' if odd == 1 else 'are'} no number" if odd else ""
    if not there:
        return [("?", f"{column}, all held rows together: {unread}")] if odd else []
    but = f"; {unread}" if odd else ""
    return [(f"{sum(there):,}", f"{column}, all held rows together{but}")]


def _reasons(findings: Sequence[Mapping[str, Any]], masked: Collection[str]) -> Reasons:
    why: Reasons = {}
    for body in findings:
        finding = Finding.from_json(body)
        column = finding.column or ""
        drafted = finding.check == "drafted"
        rule = str(finding.details.get("rule") or finding.sentence)
        told = [(column, f"{column} is a draft" if drafted else rule)]
        for key in finding.keys:
            why.setdefault(key, []).extend(finding.reasons_of(key, masked) or told)
    return why


def _key_first(columns: Iterable[str], key: str) -> list[str]:
    return sorted(columns, key=lambda c: c != key)


def _row(row: Mapping[str, Any], sync: Sync, why: Reasons) -> dict[str, Any]:
    key = str(row.get(sync.key))
    hidden = sync.policy.masked
    columns = _key_first(row, sync.key)
    reasons = why.get(key, [])
    return {
        "cells": [(c, MASK if c in hidden else row[c]) for c in columns],
        "flagged": {column for column, _ in reasons},
        "reasons": [words for _, words in reasons],
        "key": key,
        "confidence": None,
    }
