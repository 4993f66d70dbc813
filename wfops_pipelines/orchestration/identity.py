"""Who launched a run: stamped by the webserver, signed, and never taken from the user's tags."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import dagster as dg
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.storage.dagster_run import DagsterRun

from wfops_pipelines import workbench
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.identity import requester

IDENTITY_TAG = "wfops/identity"
BACKFILL_TAG = "wfops/backfill-by"
GATE_OWNER = "team:reviewers-"  # before a group's name: owns the jobs that its members launch
_BACKFILL = "backfill"  # stands where a run's id does
USER_TAG = "user"  # what the Dagster UI shows as "Launched by"


def sign(actor: Actor, run_id: str, secret: bytes) -> str:
    """`name|verified|signature`, valid for this run only."""
    claim = f"{actor.name}|{int(actor.verified)}"
    return f"{claim}|{_mac(claim, run_id, secret)}"


def read_identity(tags: Mapping[str, str], run_id: str, secret: bytes) -> Actor | None:
    """The person who launched the run, or None: a machine, or a tag that we did not write."""
    claim, _, signature = tags.get(IDENTITY_TAG, "").rpartition("|")
    name, _, verified = claim.rpartition("|")
    if not name or not hmac.compare_digest(signature, _mac(claim, run_id, secret)):
        return None
    return Actor(name, "person", verified=verified == "1")


def actor_of(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Actor:
    """Who this run acts for: the signed-in person, or the machine (schedule, sensor, shell)."""
    run = context.run
    return read_identity(run.tags, run.run_id, workbench.secret()) or Actor("dagster", "machine")


class IdentityRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue, which stamps each run launched from the UI with who launched it."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        run = context.dagster_run
        actor = _launcher(context)
        self._instance.add_run_tags(run.run_id, _stamps(actor, run.run_id))
        return super().submit_run(context)


def backfill_tags(actor: Actor) -> dict[str, str]:
    """Who launched a backfill: its runs are submitted by the daemon, later."""
    claim = sign(actor, _BACKFILL, workbench.secret())
    return {BACKFILL_TAG: claim, USER_TAG: str(actor)}


def _launcher(context: SubmitRunContext) -> Actor | None:
    """Raises NotAllowed for a request that did not come through the trusted proxy."""
    tags = context.dagster_run.tags
    if getattr(context.workspace, "source", None) is not None:
        return requester(context.get_request_header, workbench.settings().environ)
    if "dagster/backfill" in tags:
        claimed = {IDENTITY_TAG: tags.get(BACKFILL_TAG, "")}
        return read_identity(claimed, _BACKFILL, workbench.secret())
    return None


def _stamps(actor: Actor | None, run_id: str) -> dict[str, str]:
    """A run that no person launched loses whatever identity its tags claimed."""
    if actor is None:
        return {IDENTITY_TAG: ""}
    return {IDENTITY_TAG: sign(actor, run_id, workbench.secret()), USER_TAG: str(actor)}


def _mac(claim: str, run_id: str, secret: bytes) -> str:
    return hmac.new(secret, f"{claim}|{run_id}".encode(), hashlib.sha256).hexdigest()
