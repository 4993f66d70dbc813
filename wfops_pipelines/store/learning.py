"""What people decided about holds of the anomaly scorer, counted by kind of finding.

The decisions and the evidence that they were about are the only truth: nothing is stored twice. A
reset is one row; decisions before it no longer count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upsert

from wfops_pipelines.core.reviews import ReviewKind, Verb
from wfops_pipelines.store import tables as t

_ANOMALIES: ColumnElement[list[str]] = literal_column(
    "array(select x::text from json_array_elements(wfops.evidence.body::json -> 'findings') x "
    "where x ->> 'check' = 'anomaly')"
)
_CAUSE = 0.5  # of the strongest finding: what is weaker did not cause the hold


def counts(conn: Connection, sync: str) -> dict[str, tuple[int, int]]:
    """`{kind: (rejections, approvals)}` of the snapshots that the scorer held as a whole."""
    found: dict[str, tuple[int, int]] = {}
    for row in _decided(conn, sync):
        rejected = row.verb == Verb.REJECT.value
        for kind in causes([json.loads(text) for text in row.found]):
            no, yes = found.get(kind, (0, 0))
            found[kind] = (no + rejected, yes + (not rejected))
    return found


def causes(findings: Sequence[Mapping[str, Any]]) -> set[str]:
    """The kinds of anomaly findings that held a snapshot; none where something else did."""
    strength = {
        (f["details"]["kind"], f["sentence"]): f["details"]["contribution"]
        for f in findings
        if f["severity"] == "critical" and "kind" in f["details"]
    }
    largest = max(strength.values(), default=0.0)
    return {kind for (kind, _), s in strength.items() if s >= _CAUSE * largest}


def _decided(conn: Connection, sync: str) -> list[Row[Any]]:
    """Verb and anomalies, one row a snapshot: of a re-opened one, the last word counts.

    Evidence that names a million rows has few of them, which the database picks out.
    What the machine decided, at a deadline or by confidence, teaches nothing.
    """
    d, r, e = t.decisions.c, t.reviews.c, t.evidence.c
    query = (
        select(r.seq, d.verb, _ANOMALIES.label("found"))
        .join(t.reviews, r.id == d.review)
        .join(t.evidence, (e.sync == r.sync) & (e.seq == r.seq))
        .where(r.sync == sync, r.kind == ReviewKind.WHOLE.value, d.final)
        .where(d.verb.in_([Verb.APPROVE.value, Verb.REJECT.value]), d.channel != "policy")
        .order_by(d.at)
    )
    since = last_reset(conn, sync)
    rows = conn.execute(query if since is None else query.where(d.at > since)).all()
    return list({row.seq: row for row in rows}.values())


def last_reset(conn: Connection, sync: str) -> datetime | None:
    query = select(t.anomaly_resets.c.at).where(t.anomaly_resets.c.sync == sync)
    return conn.execute(query).scalar_one_or_none()


def reset(conn: Connection, sync: str, at: datetime) -> None:
    """Forget what was decided until now; the caller writes the audit event."""
    new = upsert(t.anomaly_resets).values(sync=sync, at=at)
    conn.execute(new.on_conflict_do_update(index_elements=["sync"], set_={"at": at}))
