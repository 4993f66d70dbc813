"""The jobs of the gate: `decide` records a person's answer, `release` acts on it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from wfops_pipelines import gate, publishing, workbench
from wfops_pipelines.core.reviews import Actor, Decision, parse_verb
from wfops_pipelines.errors import DecisionRefused, NotAllowed
from wfops_pipelines.orchestration import reporting
from wfops_pipelines.orchestration.gate_sensors import MOST_ATTEMPTS
from wfops_pipelines.orchestration.identity import read_identity
from wfops_pipelines.publishing import OutOfTurn, Paused, Publication
from wfops_pipelines.store import database, reviews

# Raw fields: Dagster's pydantic config would also take {env: NAME}, and leak a secret.
_FIELDS = {
    "review": dg.Field(str, description="the review request, as rv-01J…"),
    "evidence": dg.Field(str, description="the hash of the evidence that you were shown"),
    "decision": dg.Field(str, description="approve | approve_clean | reject | retry"),
    "reason": dg.Field(str, description="why; the audit trail keeps it"),
}


@dg.config_mapping(config_schema=_FIELDS)
def flat(config: dict[str, str]) -> dict[str, Any]:
    """The four lines of a decision at the root of the Launchpad's config."""
    parse_verb(config["decision"])  # refused at Launch already, before a run exists
    return {"ops": {"record_decision": {"config": config}}}


@dg.op(config_schema=_FIELDS, out=dg.Out(str), name="record_decision")
def decide_op(context: dg.OpExecutionContext) -> str:
    """Record the decision under the review's lock; the first one wins."""
    try:
        taken = gate.decide(_decision(context), workbench.services(), "launchpad")
    except DecisionRefused as refused:
        raise dg.Failure(description=str(refused), allow_retries=False) from refused
    review = taken.review
    context.log.info(f"{taken.verb.value} recorded as {taken.id} for {review.sync} #{review.seq}")
    return taken.id if taken.final else ""


def _decision(context: dg.OpExecutionContext) -> Decision:
    config = context.op_config
    actor = read_identity(context.run.tags, context.run_id, workbench.secret())
    if actor is None:
        raise NotAllowed(
            "you may not: nobody is known to have launched this run. "
            "Launch `decide` from the Dagster UI, or use `wfops decide`."
        )
    verb = parse_verb(config["decision"])
    return Decision(config["review"], config["evidence"], verb, config["reason"], actor)


@dg.op(name="act_on_decision")
def release_op(context: dg.OpExecutionContext, decision: str) -> Iterator[Any]:
    """Publish or quarantine what was decided, once, and tell the asset's page."""
    if decision:
        yield from _release(context, decision)
    yield dg.Output(None)


def _release(context: dg.OpExecutionContext, decision: str) -> Iterator[dg.AssetMaterialization]:
    services = workbench.services()
    with services.engine.connect() as conn:
        errand = reviews.errand(conn, decision)
    if errand is None or errand.seq is None or errand.done_at is not None:
        context.log.info("nothing to release: it is done, or a new run will do it")
        return
    sync = workbench.project().syncs[errand.sync]
    try:
        done = publishing.release(sync, decision, services, Actor("gate", "machine"))
    except (Paused, OutOfTurn) as wait:
        context.log.warning(f"{wait} The approval gate releases it then.")
        return
    except Exception as error:
        _failed(context, errand, error)
        raise
    yield from _tell(context, errand.sync, done)


def _failed(context: dg.OpExecutionContext, errand: reviews.Errand, error: Exception) -> None:
    services = workbench.services()
    with database.transaction(services.engine) as conn:
        reviews.failed(conn, errand.decision, str(error))
    if errand.attempts + 1 >= MOST_ATTEMPTS:
        sync = workbench.project().syncs[errand.sync]
        gate.report_failure(sync, "release", error, services, context.run_id)


def _tell(
    context: dg.OpExecutionContext, sync: str, done: Publication | None
) -> Iterator[dg.AssetMaterialization]:
    """Put on the asset's page what was released, and what still waits."""
    with workbench.services().engine.connect() as conn:
        pending = [r for r in reviews.listed(conn, sync=sync) if r.seq is not None]
    reporting.log_approval(context, workbench.project().syncs[sync], pending)
    key = dg.AssetKey([sync, "published"])
    if done is None:
        context.log_event(dg.AssetObservation(key, metadata=reporting.gate_metadata(pending)))
        return
    yield dg.AssetMaterialization(
        key,
        description=f"released snapshot #{done.seq}",
        metadata=reporting.publication_metadata([done], pending),
    )


@dg.job(name="decide", config=flat, executor_def=dg.in_process_executor)
def decide_job() -> None:
    """A person's answer to a review request. Open it from the review page: it is prefilled."""
    release_op(decide_op())


@dg.job(name="release", executor_def=dg.in_process_executor)
def release_job() -> None:
    """Acts on a recorded decision that the `decide` run did not finish. The gate launches it."""
    release_op()
