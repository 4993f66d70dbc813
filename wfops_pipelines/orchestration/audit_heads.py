"""Signed heads of the audit trail in Dagster's event log, a second place outside the trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from wfops_pipelines import auditing, workbench
from wfops_pipelines.core.verifier import Head
from wfops_pipelines.store import heads

AUDIT_HEAD = dg.AssetKey(["wfops", "audit_head"])
_SIGNED = "signed head"
_PAGE = 1000


def seal_run(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> None:
    """Sign what this run has written into the trail, and put the head into the run's log."""
    head = auditing.seal(workbench.services())
    if head is not None:
        context.log_event(_observation(head))


def sign_audit_head(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Sign what no run has signed: acts in the UI and the shell, and runs that died."""
    head = auditing.seal(workbench.services())
    if head is None:
        return dg.SkipReason("every audit event is signed")
    context.instance.report_runless_asset_event(_observation(head))
    return dg.SkipReason(f"signed up to audit event {head.n:,}")


def _observation(head: Head) -> dg.AssetObservation:
    return dg.AssetObservation(
        AUDIT_HEAD,
        description=f"the audit trail up to event {head.n:,}, signed",
        metadata={"event": head.n, "hash": head.hash, _SIGNED: heads.line(head)},
    )


def recorded_at(home: Path) -> list[Head]:
    """The signed heads in the event log of the instance that `home`/dagster.yaml describes."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return list(recorded(instance))


def recorded(instance: dg.DagsterInstance) -> Iterator[Head]:
    """The signed heads in the event log, newest first."""
    cursor, more = None, True
    while more:
        page = instance.fetch_observations(AUDIT_HEAD, _PAGE, cursor)
        for record in page.records:
            observation = record.asset_observation
            said = observation.metadata.get(_SIGNED) if observation else None
            head = heads.parse(str(said.value)) if said else None
            if head is not None:
                yield head
        cursor, more = page.cursor, page.has_more
