"""The jobs of the gate: `decide` records a person's answer, `release` acts on it."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from wfops_pipelines import carrying, flow, retrying, undoing, workbench
from wfops_pipelines.core.reviews import Decision, Edit, Verb, parse_verb
from wfops_pipelines.deciding import gate
from wfops_pipelines.errors import DecisionRefused, NotAllowed, SyncFailure
from wfops_pipelines.failing import GATE, report_failure
from wfops_pipelines.ledger import Publication
from wfops_pipelines.orchestration import reporting
from wfops_pipelines.orchestration.audit_heads import seal_run
from wfops_pipelines.orchestration.identity import GATE_OWNER, read_identity
from wfops_pipelines.orchestration.progress import progress_logged
from wfops_pipelines.store import reviews, snapshots
from wfops_pipelines.sync import Day, Sync, day_named

CHANNEL = "launchpad"

# Raw fields: Dagster's pydantic config would also take {env: NAME}, and leak a secret.
_ANSWER = {
    "decision": dg.Field(str, description="approve | approve_clean | reject | retry | leave_out"),
    "reason": dg.Field(str, description="why; the audit trail keeps it"),
}
_REVIEW = {
    "review": dg.Field(str, description="the review request, as rv-01J…"),
    "evidence": dg.Field(str, description="the hash of the evidence that you were shown"),
}
_EDIT = {
    "key": dg.Field(str, description='the key of a held row, in quotes where it is a number: "42"'),
    "set": dg.Field(dict, description="column: value, for each cell to change"),
}
_FIELDS = {
    **_REVIEW,
    **_ANSWER,
    "exclude": dg.Field(
        [str],
        is_required=False,
        description='keys of rows to leave out, in quotes where they are numbers: ["42"]',
    ),
    "edits": dg.Field(
        [_EDIT],
        is_required=False,
        description="change these rows first; they are examined and reviewed again",
    ),
    "break_glass": dg.Field(
        bool, is_required=False, description="approve alone; needs the role override"
    ),
}
_MANY = {
    "reviews": dg.Field([_REVIEW], description="each with the evidence that you were shown"),
    **_ANSWER,
}


@dg.config_mapping(config_schema=_FIELDS)
def flat(config: dict[str, Any]) -> dict[str, Any]:
    """The lines of a decision at the root of the Launchpad's config."""
    parse_verb(config["decision"])  # refused at Launch already, before a run exists
    return {"ops": {"record_decision": {"config": config}}}


@dg.config_mapping(config_schema=_MANY)
def flat_many(config: dict[str, Any]) -> dict[str, Any]:
    """One answer to many review requests."""
    parse_verb(config["decision"])
    return {"ops": {"record_decisions": {"config": config}}}


@dg.op(config_schema=_FIELDS, out=dg.Out(str), name="record_decision")
def decide_op(context: dg.OpExecutionContext) -> str:
    """Record the decision under the review's lock; the first one wins."""
    taken = _decide(context, context.op_config)
    if taken.edited is not None:
        _judge_edited(context, taken)
    return taken.id if taken.final and taken.edited is None else ""


@dg.op(config_schema=_MANY, out=dg.Out(list[str]), name="record_decisions")
def decide_many_op(context: dg.OpExecutionContext) -> list[str]:
    """Record the same answer for each review request; one that is refused stops none of them."""
    answer = {k: context.op_config[k] for k in _ANSWER}
    taken: list[gate.Taken] = []
    refused: list[str] = []
    for asked in context.op_config["reviews"]:
        try:
            taken.append(_decide(context, {**asked, **answer}))
        except dg.Failure as failure:
            refused.append(f"{asked['review']}: {failure.description}")
    for line in refused:
        context.log.warning(line)
    if refused and not taken:
        raise dg.Failure(description="\n".join(refused), allow_retries=False)
    return [t.id for t in taken if t.final]


def _decide(context: dg.OpExecutionContext, config: Mapping[str, Any]) -> gate.Taken:
    try:
        decision = _decision(context, config)
        taken = gate.decide(decision, workbench.project(), workbench.services(), CHANNEL)
    except DecisionRefused as refused:
        raise dg.Failure(description=str(refused), allow_retries=False) from refused
    context.log.info(f"{taken.verb.value} recorded as {taken.id} for {taken.review.subject}")
    return taken


def _decision(context: dg.OpExecutionContext, config: Mapping[str, Any]) -> Decision:
    actor = read_identity(context.run.tags, context.run_id, workbench.secret())
    if actor is None:
        raise NotAllowed(
            "you may not: nobody is known to have launched this run. "
            "Launch `decide` from the Dagster UI, or use `wfops decide`."
        )
    return Decision(
        config["review"],
        config["evidence"],
        parse_verb(config["decision"]),
        config["reason"],
        actor,
        tuple(config.get("exclude", ())),
        tuple(Edit(e["key"], e["set"]) for e in config.get("edits", ())),
        config.get("break_glass", False),
    )


def _judge_edited(context: dg.OpExecutionContext, taken: gate.Taken) -> None:
    """Examine the edited snapshot at once, so that the next reviewer need not wait for a run."""
    project, services = workbench.project(), workbench.services()
    sync = gate.sync_of(project, taken.review)
    run = flow.Run(GATE, context.run_id)
    try:
        judged = flow.judge_staged(project, sync, services, run)
    except Exception as error:
        report_failure(sync, "extraction", error, services, context.run_id, _day(sync, taken))
        raise
    for one in judged:
        context.log.info(f"{one.snapshot.name}: {reporting.verdict_words(one)}")
    for event in reporting.gate_events(sync, services, []):
        context.log_event(event)


def _day(sync: Sync, taken: gate.Taken) -> Day | None:
    assert taken.edited is not None
    with workbench.services().engine.connect() as conn:
        name = snapshots.get(conn, sync.name, taken.edited).partition
    return day_named(name)


@dg.op(name="act_on_decision")
def release_op(context: dg.OpExecutionContext, decision: str) -> Iterator[Any]:
    """Publish or quarantine what was decided, once, and tell the asset's page."""
    if decision:
        yield from _release(context, decision)
    seal_run(context)
    yield dg.Output(None)


@dg.op(name="act_on_decisions")
def release_many_op(context: dg.OpExecutionContext, decisions: list[str]) -> Iterator[Any]:
    """Publish or quarantine each; what fails is left to the approval gate, which tries again."""
    failed: list[str] = []
    for decision in decisions:
        try:
            yield from _release(context, decision)
        except Exception as error:
            failed.append(f"{decision}: {error}")
    seal_run(context)
    if failed:
        raise dg.Failure(description="\n".join(failed), allow_retries=False)
    yield dg.Output(None)


def _release(context: dg.OpExecutionContext, decision: str) -> Iterator[dg.AssetMaterialization]:
    services = workbench.services()
    with services.engine.connect() as conn:
        errand = reviews.errand(conn, decision)
    if errand is None or errand.seq is None or errand.done_at is not None:
        context.log.info("nothing to release: it is done, or a new run will do it")
        return
    sync = workbench.project().syncs[errand.sync]
    run = flow.Run(GATE, context.run_id)
    try:
        with progress_logged(context):
            done = carrying.carry_out(sync, errand, services, run)
    except carrying.ReleaseFailed as failed:
        raise failed.error from failed
    if done.waits:
        context.log.warning(f"{done.waits} The approval gate releases it then.")
        return
    with services.engine.connect() as conn:
        if said := undoing.done_by(conn, f"{sync.name} #{errand.seq}", decision):
            context.log.info(f"reverted: {said}")
    yield from _tell(context, errand.sync, done.publication)
    if errand.verb is Verb.LEAVE_OUT:
        yield from _told(context, sync, _go_on(sync, errand, run))
    else:
        yield from _told(context, sync, retrying.behind(sync, errand.seq, services, run))


def _go_on(sync: Sync, errand: reviews.Errand, run: flow.Run) -> retrying.Tried:
    """The rows beside those that were left out need not wait for the next run."""
    services = workbench.services()
    with services.engine.connect() as conn:
        name = (reviews.failure_of(conn, errand.review) or {}).get("day")
    return retrying.go_on(sync, services, run, day_named(name))


def _told(
    context: dg.OpExecutionContext, sync: Sync, tried: retrying.Tried
) -> Iterator[dg.AssetMaterialization]:
    for done in tried.publications:
        yield from _tell(context, sync.name, done)
    if isinstance(tried.error, SyncFailure):
        raise reporting.failure(tried.error, tried.review) from tried.error
    if tried.error is not None:
        raise tried.error


def _tell(
    context: dg.OpExecutionContext, sync: str, done: Publication | None
) -> Iterator[dg.AssetMaterialization]:
    """Put on the asset's page what was released, and what still waits."""
    declared, services = workbench.project().syncs[sync], workbench.services()
    for event in reporting.gate_events(declared, services, [done] if done else []):
        if isinstance(event, dg.AssetMaterialization):
            yield event
        else:
            context.log_event(event)


def gate_jobs(groups: Sequence[str]) -> list[dg.JobDefinition]:
    """`decide`, `decide_many` and `release`; the reviewer groups own what their members launch."""
    # Dagster copies jobs, and would say at each copy that their owners are a beta of its own.
    warnings.filterwarnings("ignore", "Parameter `owners`", dg.BetaWarning)
    return _jobs([f"{GATE_OWNER}{group}" for group in groups])


def _jobs(owners: Sequence[str]) -> list[dg.JobDefinition]:
    @dg.job(name="decide", config=flat, executor_def=dg.in_process_executor, owners=owners)
    def decide() -> None:
        """A person's answer to a review request. Open it from the review page: it is prefilled."""
        release_op(decide_op())

    @dg.job(
        name="decide_many", config=flat_many, executor_def=dg.in_process_executor, owners=owners
    )
    def decide_many() -> None:
        """One answer to many review requests with the same cause. The inbox opens it prefilled."""
        release_many_op(decide_many_op())

    @dg.job(name="release", executor_def=dg.in_process_executor)
    def release() -> None:
        """Acts on a recorded decision that its run did not finish. The gate launches it."""
        release_op()

    return [decide, decide_many, release]
