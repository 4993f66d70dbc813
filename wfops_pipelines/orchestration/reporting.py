"""What a run tells Dagster: materializations, check results, failures, each with its links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from sqlalchemy import Connection

from wfops_pipelines.core import links
from wfops_pipelines.core.findings import Outcome, Severity
from wfops_pipelines.core.reviews import Review, ReviewState
from wfops_pipelines.core.verdict import Publish
from wfops_pipelines.errors import SyncFailure
from wfops_pipelines.flow import Judged
from wfops_pipelines.ledger import Publication
from wfops_pipelines.services import Services
from wfops_pipelines.store import reviews, snapshots
from wfops_pipelines.sync import Sync

BACKFILL_TAG = "dagster/backfill"
INLINE = 900  # characters of Markdown that Dagster shows without a dialog
EXAMINERS = ("anomaly", "critical_changes", "high_impact")


def staged_events(sync: Sync, judged: Judged) -> Iterator[Any]:
    """The materialization of `staged`, and the result of each check."""
    snapshot, evidence = judged.snapshot, judged.evidence
    report = links.report_page(sync.name, snapshot.seq)
    yield dg.MaterializeResult(
        asset_key=dg.AssetKey([sync.name, "staged"]),
        metadata={
            "verdict": dg.MetadataValue.md(verdict_words(judged)),
            "expectation report": dg.MetadataValue.url(report),
            "dagster/row_count": snapshot.rows,
            "snapshot": f"#{snapshot.seq}",
            "digest": snapshot.digest,
            "duplicates dropped": snapshot.duplicates,
        },
        data_version=dg.DataVersion(snapshot.digest),
    )
    yield from check_results(sync, snapshot.seq, evidence.as_json())


def log_staged(context: dg.AssetExecutionContext, sync: Sync, judged: Judged) -> None:
    """As `staged_events`, of a snapshot that is not the run's last: a run yields each only once."""
    for event in staged_apart(sync, judged):
        context.log_event(event)


def staged_apart(sync: Sync, judged: Judged) -> Iterator[Any]:
    """As `staged_events`, for whoever is no run that could yield them."""
    for event in staged_events(sync, judged):
        if isinstance(event, dg.AssetCheckResult):
            yield _evaluation(event)
        else:
            yield dg.AssetMaterialization(
                event.asset_key, metadata=event.metadata, partition=judged.snapshot.partition
            )


def staged_before(
    context: dg.AssetExecutionContext, sync: Sync, services: Services
) -> Iterator[Any]:
    """Of a day of which nothing new came: that `staged` is up to date, where that must be said."""
    key = dg.AssetKey([sync.name, "staged"])
    if not _asked_for_day(context, key):
        return
    day = context.partition_key
    with services.engine.connect() as conn:
        newest = snapshots.newest_of(conn, sync.name, day)
        before = snapshots.get(conn, sync.name, newest) if newest else None
    known = {"snapshot": f"#{newest}", "digest": before.digest} if before else {}
    yield dg.MaterializeResult(
        asset_key=key,
        metadata={"verdict": f"nothing new of {day}", "dagster/row_count": 0, **known},
        data_version=dg.DataVersion(before.digest if before else "nothing"),
    )


def _asked_for_day(context: dg.AssetExecutionContext, key: dg.AssetKey) -> bool:
    """Whether Dagster would show a day without news as failed, or as never looked at.

    A backfill calls failed what its own run did not materialize. A schedule asks again and again:
    what goes by new materializations downstream would run for nothing.
    """
    if not context.has_partition_key:
        return False
    if BACKFILL_TAG in context.run.tags:
        return True
    mine = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[context.partition_key])
    return not context.instance.fetch_materializations(mine, limit=1).records


def verdict_words(judged: Judged) -> str:
    """One Markdown paragraph: the verdict, and where to decide."""
    if isinstance(judged.verdict, Publish):
        return f"**Published**: all {judged.evidence.rows:,} rows passed every check."
    assert judged.review is not None
    return held_words(judged.review)


def held_words(review: Review) -> str:
    """What is held and the two links a reviewer needs."""
    links_ = (
        f"[Read the evidence]({links.review_page(review.id)}) · "
        f"[Decide in the Launchpad]({links.decide_launchpad(review)})"
    )
    summary = escape(review.summary)[: INLINE - len(links_) - 20]
    return f"**Held.** {summary}\n\n{links_}"


def check_results(
    sync: Sync, seq: int, evidence: Mapping[str, Any]
) -> Iterator[dg.AssetCheckResult]:
    """One result for each expectation and examiner, from the evidence as it is stored."""
    staged = dg.AssetKey([sync.name, "staged"])
    report = dg.MetadataValue.url(links.report_page(sync.name, seq))
    for result in evidence["results"]:
        yield dg.AssetCheckResult(
            asset_key=staged,
            check_name=result["name"],
            passed=result["outcome"] == Outcome.PASSED.value,
            severity=_severity(result["severity"]),
            description=result["error"] or result["words"],
            metadata={**_told(result), "failing rows": result["failed_rows"], "report": report},
        )
    for examiner in EXAMINERS:
        found = [f for f in evidence["findings"] if f["check"].split(":")[0] == examiner]
        bad = [f for f in found if f["severity"] != Severity.INFO.value]
        yield dg.AssetCheckResult(
            asset_key=staged,
            check_name=examiner,
            passed=not bad,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(f["sentence"] for f in bad)[:INLINE] or None,
            metadata={"findings": len(bad), "report": report},
        )


def published_events(
    context: dg.AssetExecutionContext, sync: Sync, services: Services, done: Sequence[Publication]
) -> Iterator[Any]:
    """The materialization of `published` where rows went, and where the gate stands.

    A day of which nothing is under way any more is up to date without news, too.
    """
    published = dg.AssetKey([sync.name, "published"])
    day = context.partition_key if context.has_partition_key else None
    with services.engine.connect() as conn:
        pending = reviews.holding(conn, sync.name)
        mine = of_day(conn, pending, day)
        moving = day is not None and snapshots.unsettled(conn, sync.name, day)
    if done:
        yield dg.MaterializeResult(asset_key=published, metadata=publication_metadata(done, mine))
    elif not moving and _asked_for_day(context, published):
        said = {**gate_metadata([]), "published": f"nothing new of {day}", "dagster/row_count": 0}
        yield dg.MaterializeResult(asset_key=published, metadata=said)
    elif mine:
        seen = dg.AssetObservation(published, metadata=gate_metadata(mine), partition=day)
        context.log_event(seen)
    yield approval_result(sync, pending)


def gate_events(sync: Sync, services: Services, done: Sequence[Publication]) -> Iterator[Any]:
    """What acts outside of the sync's own run came to: where the gate stands, and what went out.

    A materialization of `published` for each publication, in its partition; else what waits.
    """
    published = dg.AssetKey([sync.name, "published"])
    with services.engine.connect() as conn:
        pending = reviews.holding(conn, sync.name)
        days = snapshots.partitions(conn, sync.name, [p.seq for p in done])
        mine = {p.seq: of_day(conn, pending, days[p.seq]) for p in done}
    yield _evaluation(approval_result(sync, pending))
    for one in done:
        yield dg.AssetMaterialization(
            published,
            partition=days[one.seq],
            description=f"released snapshot #{one.seq}",
            metadata=publication_metadata([one], mine[one.seq]),
        )
    if not done:
        yield dg.AssetObservation(published, metadata=gate_metadata(pending))


def of_day(conn: Connection, pending: Sequence[Review], day: str | None) -> list[Review]:
    """Those of a sync's held requests that are about this partition; all where there is none."""
    seqs = [r.seq for r in pending if r.seq is not None]
    days = snapshots.partitions(conn, pending[0].sync, seqs) if seqs else {}
    return [r for r in pending if r.seq is not None and days[r.seq] == day]


def gate_metadata(pending: Sequence[Review]) -> dict[str, Any]:
    """What waits for a person, with the links of the newest request."""
    words = held_words(pending[0]) if pending else "nothing waits for a person"
    return {"gate": dg.MetadataValue.md(words), "waiting": len(pending)}


def publication_metadata(done: Sequence[Publication], pending: Sequence[Review]) -> dict[str, Any]:
    last = done[-1]
    return {
        **gate_metadata(pending),
        "dagster/row_count": sum(p.rows for p in done),
        "inserted": sum(p.inserted for p in done),
        "updated": sum(p.updated for p in done),
        "left out (the destination holds newer rows)": sum(p.stale for p in done),
        "snapshot": f"#{last.seq}",
        "digest": last.digest,
    }


def approval_result(sync: Sync, pending: Sequence[Review]) -> dg.AssetCheckResult:
    """Fails, as a warning, while something of this sync waits for a person."""
    metadata: dict[str, Any] = {"waiting": len(pending)}
    if pending:
        metadata["review"] = dg.MetadataValue.url(links.review_page(pending[0].id))
        metadata["findings"] = dg.MetadataValue.md(held_words(pending[0]))
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([sync.name, "published"]),
        check_name="approval",
        passed=not pending,
        severity=dg.AssetCheckSeverity.WARN,
        description=escape(pending[0].summary)[:INLINE] if pending else "nothing waits",
        metadata=metadata,
    )


def _evaluation(result: dg.AssetCheckResult) -> Any:  # the stub of log_event does not know it yet
    assert result.asset_key is not None
    assert result.check_name is not None
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        description=result.description,
    )


def failure(error: SyncFailure, review: Review | None) -> dg.Failure:
    """A red run that says what a person can do, and where."""
    metadata: dict[str, Any] = {"kind": error.kind.value}
    if error.exchange:
        metadata["exchange"] = dg.MetadataValue.json(dict(error.exchange))
    if review is not None:
        assert review.state is ReviewState.PENDING
        metadata["review"] = dg.MetadataValue.url(links.review_page(review.id))
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)


def escape(text: str) -> str:
    """Text from a SaaS system as harmless Markdown: no links, images, HTML or code."""
    table = str.maketrans({c: f"\\{c}" for c in "\\`*_[]()#!|<>~"})
    return " ".join(text.translate(table).split())


def _severity(severity: str) -> dg.AssetCheckSeverity:
    critical = severity == Severity.CRITICAL.value
    return dg.AssetCheckSeverity.ERROR if critical else dg.AssetCheckSeverity.WARN


def _told(result: Mapping[str, Any]) -> dict[str, str]:
    """What was measured and expected, each where there is something to say."""
    told = {name: result[name] for name in ("measured", "expected")}
    return {name: str(value)[:INLINE] for name, value in told.items() if value is not None}
