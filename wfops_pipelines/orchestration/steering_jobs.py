"""The acts beside a decision, as jobs.

`pause`, `resume`, `comment`, `assign`, `route`, `label`, `reopen`, `waive`, `end_waiver`, `revert`.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from wfops_pipelines import failing, flow, undoing, workbench
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.deciding import reopening, steering, waiving
from wfops_pipelines.errors import NotAllowed, WfopsError
from wfops_pipelines.orchestration.audit_heads import seal_run
from wfops_pipelines.orchestration.identity import GATE_OWNER, read_identity

_REVIEW = dg.Field(str, description="the review request, as rv-01J…")
_REASON = dg.Field(str, description="why; the audit trail keeps it")
_SYNC = dg.Field(str, description="the sync's name, or all")
Act = Callable[[Mapping[str, Any], Actor], str]


def _pause(config: Mapping[str, Any], actor: Actor) -> str:
    """Publish nothing of a sync, or of all, until `resume`."""
    project, services = workbench.project(), workbench.services()
    return steering.pause(config["sync"], config["reason"], actor, project, services)


def _resume(config: Mapping[str, Any], actor: Actor) -> str:
    """Let a paused sync, or all, publish again."""
    project, services = workbench.project(), workbench.services()
    return steering.resume(config["sync"], config["reason"], actor, project, services)


def _comment(config: Mapping[str, Any], actor: Actor) -> str:
    """Put a remark into the trail of a review request."""
    review = steering.comment(config["review"], config["text"], actor, workbench.services())
    return f"noted on {review.subject}"


def _assign(config: Mapping[str, Any], actor: Actor) -> str:
    """Say who looks at a review request."""
    services = workbench.services()
    found = steering.assign(config["review"], config["to"], config["reason"], actor, services)
    return f"{found.subject} is for {found.assigned_to or 'nobody in particular'}"


def _route(config: Mapping[str, Any], actor: Actor) -> str:
    """Let another group of the policy decide a review request; it is learned from."""
    project, services = workbench.project(), workbench.services()
    found = steering.route(
        config["review"], config["to"], config["reason"], actor, project, services
    )
    return f"{found.subject} is decided by {found.group}"


def _label(config: Mapping[str, Any], actor: Actor) -> str:
    """Say what a failure really was; the next one like it is proposed as such."""
    services = workbench.services()
    found = failing.label(config["review"], config["cause"], config["reason"], actor, services)
    return f"{found.subject} failed by {found.label}"


def _reopen(config: Mapping[str, Any], actor: Actor) -> str:
    """Ask again about rows that were rejected or left in quarantine."""
    project, services = workbench.project(), workbench.services()
    done = reopening.reopen(config["review"], config["reason"], actor, project, services)
    if done.staged is None:
        return f"{done.subject} waits again: {done.review.id if done.review else ''}"
    sync = project.find(done.staged.sync)
    judged = flow.judge_staged(project, sync, services, flow.Run(failing.GATE))
    asked = next((j.review for j in judged if j.review and j.snapshot.seq == done.staged.seq), None)
    return f"{done.subject} was made of its rows; {asked.id if asked else 'it'} waits"


def _waive(config: Mapping[str, Any], actor: Actor) -> str:
    """Let a failing expectation no longer hold some rows, until a day."""
    asked = waiving.Asked(
        config["sync"],
        config["snapshot"],
        config["expectation"],
        config["evidence"],
        config["until"],
        config["reason"],
        tuple(config.get("rows", ())),
    )
    return waiving.waive(asked, actor, workbench.project(), workbench.services()).words


def _end_waiver(config: Mapping[str, Any], actor: Actor) -> str:
    """End a waiver before its day: the expectation holds its rows again."""
    ended = waiving.end(config["waiver"], config["reason"], actor, workbench.services())
    return f"{ended.words} holds again"


def _revert(config: Mapping[str, Any], actor: Actor) -> str:
    """Ask to take back what a snapshot published; somebody else approves it."""
    project, services = workbench.project(), workbench.services()
    asked = undoing.ask(
        config["sync"], config["snapshot"], config["reason"], actor, project, services
    )
    return f"{asked.id} waits for somebody else of {asked.group}"


_TO = dg.Field(str, description="a member of the reviewer group, or nobody")
_GROUP = dg.Field(str, description="a group that the sync's policy names")
_CAUSE = dg.Field(str, description="auth, rate_limit, network, schema, bad_data, …")
_TEXT = dg.Field(str, description="the remark; the audit trail keeps it")
_SYNC_ONLY = dg.Field(str, description="the sync's name")
_NUMBER = dg.Field(int, description="the number of the snapshot")
_WAIVER = {
    "sync": _SYNC_ONLY,
    "snapshot": _NUMBER,
    "expectation": dg.Field(str, description="its name, as in the report's address"),
    "evidence": dg.Field(str, description="the hash of the evidence that you were shown"),
    "until": dg.Field(str, description="the last day on which it counts (UTC), as 2026-12-31"),
    "rows": dg.Field([str], is_required=False, description="keys; all failing rows if not given"),
}
_WAIVER_ID = dg.Field(str, description="as wv-01J…")
_ACTS: dict[str, tuple[Act, dict[str, Any]]] = {
    "pause": (_pause, {"sync": _SYNC, "reason": _REASON}),
    "resume": (_resume, {"sync": _SYNC, "reason": _REASON}),
    "comment": (_comment, {"review": _REVIEW, "text": _TEXT}),
    "assign": (_assign, {"review": _REVIEW, "to": _TO, "reason": _REASON}),
    "route": (_route, {"review": _REVIEW, "to": _GROUP, "reason": _REASON}),
    "label": (_label, {"review": _REVIEW, "cause": _CAUSE, "reason": _REASON}),
    "reopen": (_reopen, {"review": _REVIEW, "reason": _REASON}),
    "waive": (_waive, {**_WAIVER, "reason": _REASON}),
    "revert": (_revert, {"sync": _SYNC_ONLY, "snapshot": _NUMBER, "reason": _REASON}),
    "end_waiver": (_end_waiver, {"waiver": _WAIVER_ID, "reason": _REASON}),
}
_OF_ADMINS = ("pause", "resume")


def steering_jobs(groups: Sequence[str]) -> list[dg.JobDefinition]:
    """One job an act; the reviewer groups own those that need no role."""
    warnings.filterwarnings("ignore", "Parameter `owners`", dg.BetaWarning)
    teams = [f"{GATE_OWNER}{group}" for group in groups]
    return [
        _job(name, act, fields, [] if name in _OF_ADMINS else teams)
        for name, (act, fields) in _ACTS.items()
    ]


def _job(name: str, act: Act, fields: dict[str, Any], owners: Sequence[str]) -> dg.JobDefinition:
    @dg.op(name=f"do_{name}", config_schema=fields)
    def do(context: dg.OpExecutionContext) -> None:
        actor = read_identity(context.run.tags, context.run_id, workbench.secret())
        try:
            if actor is None:
                raise NotAllowed("you may not: nobody is known to have launched this run.")
            context.log.info(act(context.op_config, actor))
            seal_run(context)
        except WfopsError as refused:
            raise dg.Failure(description=str(refused), allow_retries=False) from refused

    @dg.config_mapping(config_schema=fields)
    def flat(config: dict[str, Any]) -> dict[str, Any]:
        return {"ops": {f"do_{name}": {"config": config}}}

    @dg.job(
        name=name,
        config=flat,
        description=act.__doc__,
        executor_def=dg.in_process_executor,
        owners=owners,
    )
    def job() -> None:
        do()

    return job
