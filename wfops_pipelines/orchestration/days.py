"""Syncs that are partitioned by day, as Dagster's partitions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from wfops_pipelines.sync import Day, Sync, day_named


def partitions_of(sync: Sync) -> dg.DailyPartitionsDefinition | None:
    """One partition a day in UTC, up to today's, which fills while the day goes on."""
    if sync.days_from is None:
        return None
    return dg.DailyPartitionsDefinition(sync.days_from.isoformat(), end_offset=1)


def day_of(context: dg.AssetExecutionContext) -> Day | None:
    """The day that a run is about; None where the sync is not partitioned."""
    return day_named(context.partition_key if context.has_partition_key else None)


def current_days(sync: Sync, now: datetime) -> list[Day]:
    """Today, and the days that the sync's overlap still reaches, oldest first."""
    assert sync.days_from is not None
    today = now.astimezone(UTC).date()
    first = (now - timedelta(minutes=sync.policy.overlap_minutes)).astimezone(UTC).date()
    days = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    return [Day(d) for d in days if d >= sync.days_from]


def daily_schedule(sync: Sync, name: str, words: str, job: Any) -> dg.ScheduleDefinition:
    """Runs the current days at each tick: one partition a run."""

    @dg.schedule(
        name=name, description=words, cron_schedule=sync.schedule or "", job=job,
        execution_timezone="UTC",
    )  # fmt: skip
    def due(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        at = context.scheduled_execution_time
        for day in current_days(sync, at):
            yield dg.RunRequest(f"{at.isoformat()}/{day.name}", partition_key=day.name)

    return due
