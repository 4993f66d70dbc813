"""Every change that is asked for in the Dagster UI goes into the audit trail before it happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any

import yaml
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from wfops_pipelines import workbench
from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.redact import HIDDEN, redacted, secrets_of
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.identity import requester
from wfops_pipelines.store import audit, database

NO_CHANGE = frozenset({"logTelemetry"})  # the browser's usage counts; Dagster sends them nowhere
_SUBJECTS = (  # what names the thing that is changed, the most telling first
    "jobName", "pipelineName", "runId", "runIds", "scheduleName", "sensorName", "backfillId",
    "assetKey", "partitionsDefName", "repositoryLocationName", "locationName",
    "concurrencyKey", "path", "parentRunId", "id",
)  # fmt: skip
_BAD = ("Error", "Invalid", "NotFound", "Conflict", "Failure")  # how Dagster names its refusals

Endpoint = Callable[[Request], Awaitable[Response]]


def audit_mutations(following: Callable[..., Any], root: Any, info: Any, **arguments: Any) -> Any:
    """GraphQL middleware: a mutation whose audit event cannot be written does not happen.

    What Dagster answers with an error gets a second event.
    """
    name, reads = info.field_name, info.parent_type is not info.schema.mutation_type
    if reads or name.startswith("__") or name in NO_CHANGE:
        return following(root, info, **arguments)
    actor = _actor(info.context.source)
    subject = record(actor, name, arguments)
    try:
        answer = following(root, info, **arguments)
    except Exception as error:
        _refused(actor, name, subject, type(error).__name__)
        raise
    if isawaitable(answer):
        return _awaited(answer, actor, name, subject)
    return _seen(answer, actor, name, subject)


def audited(operation: str, endpoint: Endpoint) -> Endpoint:
    """The same for Dagster's endpoints that take reports of asset events from outside."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        arguments = {
            **request.path_params,
            **request.query_params,
            "body": _read(body.decode("utf-8", "replace")) if body else None,
        }
        actor = _actor(request)
        subject = str(request.path_params.get("asset_key") or operation)
        await run_in_threadpool(record, actor, operation, arguments, subject)
        response = await endpoint(request)
        if response.status_code >= 400:
            said = f"HTTP {response.status_code}"
            await run_in_threadpool(_refused, actor, operation, subject, said)
        return response

    return answer


def record(
    actor: Actor, operation: str, arguments: Mapping[str, Any], subject: str | None = None
) -> str:
    """Write who asked for what; returns the subject. Raises when it cannot be written."""
    about = subject or _subject(arguments) or operation
    secrets = secrets_of(workbench.settings().environ)
    details: dict[str, Json] = {
        "operation": operation,
        "arguments": redacted(_readable(arguments), secrets),
    }
    _append(actor, Action.UI_MUTATION, about, "", details)
    return about


def _refused(actor: Actor, operation: str, subject: str, answer: str) -> None:
    _append(actor, Action.UI_REFUSED, subject, f"answered with {answer}", {"operation": operation})


def _append(
    actor: Actor, action: Action, subject: str, reason: str, details: Mapping[str, Json]
) -> None:
    services = workbench.services()
    event = AuditEvent(services.clock(), actor, action, subject, reason, details)
    with database.transaction(services.engine) as conn:
        audit.append(conn, event)


def _actor(source: object) -> Actor:
    """Raises NotAllowed for whoever did not come through the trusted proxy."""
    headers = source.headers if isinstance(source, HTTPConnection) else {}
    return requester(headers.get, workbench.settings().environ)


async def _awaited(answer: Awaitable[Any], actor: Actor, name: str, subject: str) -> Any:
    try:
        found = await answer
    except Exception as error:
        _refused(actor, name, subject, type(error).__name__)
        raise
    return _seen(found, actor, name, subject)


def _seen(answer: Any, actor: Actor, name: str, subject: str) -> Any:
    kind = str(getattr(getattr(answer, "_meta", None), "name", ""))
    if kind.endswith(_BAD):
        _refused(actor, name, subject, kind)
    return answer


def _subject(arguments: Any) -> str | None:
    """What the arguments are about, by the first telling name anywhere in them."""
    found: dict[str, str] = {}
    _collect(arguments, found)
    return next((found[n] for n in _SUBJECTS if found.get(n)), None)


def _collect(value: Any, into: dict[str, str]) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in _SUBJECTS and isinstance(inner, str | list) and inner:
                plain = isinstance(inner, str) or all(isinstance(i, str) for i in inner)
                if plain:
                    into.setdefault(name, inner if isinstance(inner, str) else "/".join(inner))
            _collect(inner, into)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, into)


def _readable(value: Any) -> Any:
    """Run config arrives as text: read it, so that secrets in it are found by their names."""
    if isinstance(value, Mapping):
        return {
            k: _read(v) if k == "runConfigData" and isinstance(v, str) else _readable(v)
            for k, v in value.items()
        }
    return [_readable(v) for v in value] if isinstance(value, list) else value


def _read(text: str) -> Any:
    try:
        if any(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text, yaml.SafeLoader)):
            return HIDDEN  # a few lines of aliases can stand for gigabytes
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return HIDDEN
