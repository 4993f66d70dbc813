"""Everything that a monitor wants to know, as OpenMetrics. No value of any row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import Connection

from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import audit, controls, figures

CONTENT_TYPE = CONTENT_TYPE_LATEST


def metrics(conn: Connection, project: Project, services: Services) -> bytes:
    """The text of `/wfops/metrics`."""
    found = list(_families(conn, project, services))

    class Collected:
        def collect(self) -> Iterable[Metric]:
            return found

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


def _families(conn: Connection, project: Project, services: Services) -> Iterator[Metric]:
    now, totals = services.clock(), figures.totals(conn)
    yield _counter(
        "wfops_snapshots", "Snapshots staged, by what the machine said.", ["sync", "verdict"],
        [([t.sync, "hold"], t.held) for t in totals]
        + [([t.sync, "publish"], t.snapshots - t.held) for t in totals],
    )  # fmt: skip
    yield _counter(
        "wfops_rows_published", "Rows published.", ["sync"],
        [([t.sync], t.published) for t in totals],
    )  # fmt: skip
    yield _counter(
        "wfops_rows_quarantined", "Rows that people, or a deadline, rejected.", ["sync"],
        [([t.sync], t.quarantined) for t in totals],
    )  # fmt: skip
    yield _gauge(
        "wfops_freshness_seconds", "Age of the newest publication.", ["sync"],
        [([t.sync], _age(t.newest, now)) for t in totals if t.newest],
    )  # fmt: skip
    yield _gauge(
        "wfops_reviews_pending", "Review requests that wait.", ["sync", "group"],
        [([p.sync, p.reviewer_group], p.n) for p in figures.pending(conn)],
    )  # fmt: skip
    yield _gauge(
        "wfops_review_oldest_seconds", "How long the oldest of them waits.", ["sync"],
        [([t.sync], _age(t.oldest, now)) for t in totals if t.oldest],
    )  # fmt: skip
    yield _counter(
        "wfops_decisions", "Decisions on review requests.", ["sync", "verb"],
        [([v.sync, v.verb], v.n) for v in figures.verbs(conn)],
    )  # fmt: skip
    drafts = figures.drafts(conn, None, datetime.min.replace(tzinfo=now.tzinfo))
    yield _gauge(
        "wfops_drafts", "Drafts, by what became of them.", ["sync", "column", "state"],
        [([d.sync, d.column, d.state], d.n) for d in drafts],
    )  # fmt: skip
    yield _counter(
        "wfops_draft_tokens", "Tokens that a provider read and wrote.", ["sync", "column", "way"],
        _summed([([d.sync, d.column, way], getattr(d, way)) for d in drafts
                 for way in ("read", "written")]),
    )  # fmt: skip
    paused = {what for what, _, _ in controls.listed(conn)}
    yield _gauge(
        "wfops_paused", "1 while a sync publishes nothing.", ["sync"],
        [([name], int(bool(paused & {name, "all"}))) for name in project.syncs],
    )  # fmt: skip
    yield _counter(
        "wfops_audit_events", "Events in the audit trail.", [], [([], audit.head(conn)[0])]
    )


def _summed(samples: list[tuple[list[str], Any]]) -> list[tuple[list[str], Any]]:
    """One sample for each set of labels."""
    sums: dict[tuple[str, ...], int] = {}
    for labels, value in samples:
        sums[tuple(labels)] = sums.get(tuple(labels), 0) + int(value)
    return [(list(labels), value) for labels, value in sums.items()]


def _counter(
    name: str, words: str, labels: list[str], samples: list[tuple[list[str], Any]]
) -> Metric:
    return _filled(CounterMetricFamily(name, words, labels=labels), samples)


def _gauge(
    name: str, words: str, labels: list[str], samples: list[tuple[list[str], Any]]
) -> Metric:
    return _filled(GaugeMetricFamily(name, words, labels=labels), samples)


def _filled(family: Any, samples: list[tuple[list[str], Any]]) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, float(value))
    found: Metric = family
    return found


def _age(then: datetime, now: datetime) -> float:
    return max((now - then).total_seconds(), 0.0)
