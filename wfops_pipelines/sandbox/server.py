"""The sandbox's HTTP server: three vendors' endpoints and the admin's, on one state."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wfops_pipelines.sandbox.admin import admin_routes
from wfops_pipelines.sandbox.faults import Fault, struck
from wfops_pipelines.sandbox.history import View, view
from wfops_pipelines.sandbox.hubspot import CRM
from wfops_pipelines.sandbox.listing import Ask, answer
from wfops_pipelines.sandbox.replies import Reply, accept, thread
from wfops_pipelines.sandbox.state import StateFile
from wfops_pipelines.sandbox.stripe import BILLING
from wfops_pipelines.sandbox.vendors import BadQuery, Json, Vendor
from wfops_pipelines.sandbox.world import World
from wfops_pipelines.sandbox.zendesk import SUPPORT

VENDORS = (CRM, BILLING, SUPPORT)
_ON_THE_WIRE = ("rate_limit", "server_error", "timeout", "redirect")
Work = Callable[[], Awaitable[Response]]
world_of = lru_cache(maxsize=1)(World.made)


def app(folder: Path, seed: int, now: datetime) -> Starlette:
    """Return the server over the state in `folder`; `seed` and `now` count at its first start."""
    state = StateFile(folder, seed, now)
    api = Api(state, world_of(state.seed, state.begun))
    routes = [Route(v.path, api.listing(v), methods=["GET"]) for v in VENDORS]
    comments = "/api/v2/tickets/{ticket:int}/comments"
    for path in (comments, f"{comments}.json"):
        routes.append(Route(path, api.comment, methods=["POST"]))
        routes.append(Route(path, api.comments, methods=["GET"]))
    return Starlette(routes=[*routes, *admin_routes(state, api.requests, api.world)])


class Api:
    """The vendors' endpoints. `requests` counts what each system was asked."""

    def __init__(self, state: StateFile, world: World) -> None:
        self.state, self.world = state, world
        self.requests: Counter[str] = Counter()
        self._views: dict[str, tuple[object, View[Any]]] = {}

    def listing(self, vendor: Vendor) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._guarded(vendor, request, "read", lambda: self._page(vendor, request))

        return endpoint

    async def comment(self, request: Request) -> Response:
        return await self._guarded(SUPPORT, request, "write", lambda: self._reply(request))

    async def comments(self, request: Request) -> Response:
        return await self._guarded(SUPPORT, request, "read", lambda: self._thread(request))

    async def _guarded(self, vendor: Vendor, request: Request, way: str, work: Work) -> Response:
        self.requests[vendor.system] += 1
        if request.headers.get("authorization") != f"Bearer {vendor.token}":
            return failure(vendor, 401, "Authentication credentials are missing or not valid.")
        fault = self._wire_fault(vendor, way)
        if fault is None:
            return await work()
        self.state.spend(fault)
        if fault.params.get("when") == "after":
            await work()
        return await _broken(vendor, request, fault)

    def _wire_fault(self, vendor: Vendor, way: str) -> Fault | None:
        for fault in self.state.faults(vendor.system):
            if fault.kind in _ON_THE_WIRE and fault.params.get("on", "read") in (way, "any"):
                return fault
        return None

    async def _page(self, vendor: Vendor, request: Request) -> Response:
        faults = self.state.faults(vendor.system)
        origin = f"{request.url.scheme}://{request.url.netloc}"
        ask = Ask(vendor, dict(request.query_params), origin, faults)
        try:
            page = answer(ask, lambda late: self._view(vendor.system, late))
        except BadQuery as error:
            return failure(vendor, 400, str(error))
        for fault in page.used:
            self.state.spend(fault)
        headers = {"content-length": str(page.length)}
        return Response(page.body, headers=headers, media_type="application/json")

    def _view(self, system: str, late: Sequence[Fault] = ()) -> View[Any]:
        now = self.state.clock.read()
        key = (now, tuple(fault.id for fault in late))
        known, seen = self._views.get(system, (None, None))
        if seen is None or known != key:
            seen = view(self.world.lives[system], now, _delay(late) if late else None)
            self._views[system] = (key, seen)
        return seen

    async def _reply(self, request: Request) -> Response:
        ticket = self.ticket(request)
        if ticket is None:
            return failure(SUPPORT, 404, "Not found")
        try:
            body = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return failure(SUPPORT, 400, "The body is not JSON.")
        outcome = accept(self.state, ticket.id, request.headers.get("idempotency-key"), body)
        if isinstance(outcome, Reply):
            replayed = {"idempotent-replayed": "true"} if outcome.replayed else {}
            return reply(201, {"comment": outcome.comment}, replayed)
        return failure(SUPPORT, 422, outcome)

    async def _thread(self, request: Request) -> Response:
        ticket = self.ticket(request)
        if ticket is None:
            return failure(SUPPORT, 404, "Not found")
        comments = thread(self.state, ticket)
        return reply(200, {"comments": comments, "count": len(comments), "next_page": None})

    def ticket(self, request: Request) -> Any:
        """Return the visible ticket that a path names, or None."""
        wanted = request.path_params["ticket"]
        rows = self._view("support").rows
        return next((row.state for row in rows if row.id == wanted), None)


def reply(status: int, body: Json, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body), status, headers, "application/json")


def failure(vendor: Vendor, status: int, message: str) -> Response:
    """Return an error in the vendor's shape."""
    return reply(status, vendor.error(status, message))


def _delay(late: Sequence[Fault]) -> Callable[[int | str, int], int]:
    def delay(row_id: int | str, at: int) -> int:
        hit = (f for f in late if struck(f"{row_id}@{at}", f.params["share"], f.kind))
        return max((int(f.params["delay_seconds"] * 1000) for f in hit), default=0)

    return delay


async def _broken(vendor: Vendor, request: Request, fault: Fault) -> Response:
    match fault.kind:
        case "rate_limit":
            answer = failure(vendor, 429, "You have reached your request limit.")
            answer.headers["retry-after"] = str(fault.params["retry_after"])
            return answer
        case "timeout":
            await asyncio.sleep(float(fault.params["seconds"]))
            return failure(vendor, 504, "The answer took too long.")
        case "redirect":
            target = f"{fault.params['origin']}{request.url.path}?{request.url.query}"
            return Response(status_code=302, headers={"location": target})
        case _:
            return failure(vendor, int(fault.params["status"]), "An internal error occurred.")
