"""The sandbox's own endpoints, under `/_sandbox`: what it is, its faults, its clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wfops_pipelines.sandbox.faults import SYSTEMS, BadFault, Fault
from wfops_pipelines.sandbox.state import StateFile
from wfops_pipelines.sandbox.vendors import iso
from wfops_pipelines.sandbox.world import World

Endpoint = Callable[[Request], Awaitable[Response]]


def admin_routes(state: StateFile, requests: Mapping[str, int], world: World) -> list[Route]:
    """Return the admin's routes. Bodies must be JSON by name: a web page cannot post that here."""

    async def about(_: Request) -> Response:
        return _json(200, _about(state, requests, world))

    async def faults(request: Request) -> Response:
        if request.method == "GET":
            return _json(200, [fault.as_json() for fault in state.faults()])
        fault = state.add_fault(Fault.asked(await _body(request)))
        return _json(201, fault.as_json())

    async def no_faults(request: Request) -> Response:
        system = request.query_params.get("system")
        if system not in (None, *SYSTEMS):
            raise BadFault(f"system must be one of {', '.join(SYSTEMS)}")
        state.clear_faults(system)
        return Response(status_code=204)

    async def clock(request: Request) -> Response:
        _set_clock(state, await _body(request))
        return _json(200, {"now": iso(state.clock.read()), "rate": state.clock.rate})

    return [
        Route("/_sandbox", about, methods=["GET"]),
        Route("/_sandbox/faults", _polite(faults), methods=["GET", "POST"]),
        Route("/_sandbox/faults", _polite(no_faults), methods=["DELETE"]),
        Route("/_sandbox/clock", _polite(clock), methods=["POST"]),
    ]


def _about(state: StateFile, requests: Mapping[str, int], world: World) -> dict[str, Any]:
    last = world.span.first + timedelta(days=world.span.days - 1)
    return {
        "now": iso(state.clock.read()),
        "rate": state.clock.rate,
        "seed": state.seed,
        "first_day": world.span.first.isoformat(),
        "last_day": last.isoformat(),
        "faults": [fault.as_json() for fault in state.faults()],
        "comments": state.count_comments(),
        "requests": {system: requests.get(system, 0) for system in SYSTEMS},
    }


def _set_clock(state: StateFile, body: Mapping[str, Any]) -> None:
    try:
        now = datetime.fromtimestamp(state.clock.read() / 1000, UTC)
        now = datetime.fromisoformat(body["now"]) if "now" in body else now
        now += timedelta(seconds=float(body.get("advance_seconds", 0)))
        rate = float(body.get("rate", state.clock.rate))
    except (TypeError, ValueError, OverflowError) as error:
        raise BadFault(f"the clock takes now, advance_seconds and rate: {error}") from error
    if now.tzinfo is None:
        raise BadFault("now must have an offset, for example 2026-06-15T09:00:00+00:00")
    if not (1970 <= now.year < 9000 and 0 <= rate <= 1_000_000):
        raise BadFault("now must be between 1970 and 9000, rate between 0 and 1000000")
    state.set_clock(now, rate)


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise BadFault("send the body as application/json")
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadFault(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadFault("the body must be a JSON object")
    return body


def _polite(endpoint: Endpoint) -> Endpoint:
    async def polite(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BadFault as error:
            return _json(422, {"error": str(error)})

    return polite


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
