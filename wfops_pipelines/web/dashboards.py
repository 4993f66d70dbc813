"""The dashboards: pages, the same numbers as JSON, and metrics."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from wfops_pipelines import workbench
from wfops_pipelines.dashboard import Dashboard, Day, dashboard
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.web import metrics
from wfops_pipelines.web.page import HEADERS, page

BARS, WIDTH, HEIGHT = 30, 480, 120
Bar = tuple[float, float, float, float, str]


def dashboard_page(request: Request) -> Response:
    """One sync's dashboard, or that of all."""
    found = _found(request)
    if found is None:
        what = request.path_params.get("sync", "")
        return page("nothing.html", 404, title="No such sync", what=what)
    return page(
        "dashboard.html",
        title=found.sync or "All syncs",
        found=found,
        syncs=list(workbench.project().syncs),
        published=bars(found.days, "rows", tallest := _tallest(found.days, "rows")),
        held=bars(found.days, "held", most := _tallest(found.days, "snapshots")),
        staged=bars(found.days, "snapshots", most),
        tallest=tallest,
        most=most,
        curve=curve(found),
        width=WIDTH,
        height=HEIGHT,
    )


def dashboard_json(request: Request) -> Response:
    """The same numbers, for other tools."""
    found = _found(request)
    if found is None:
        return _json({"error": "no such sync"}, 404)
    body = dataclasses.asdict(found)
    body["reliability"]["words"] = found.reliability.words
    return _json(body)


def metrics_text(_: Request) -> Response:
    """OpenMetrics, for a monitor."""
    services = workbench.services()
    with services.engine.connect() as conn:
        text = metrics.metrics(conn, workbench.project(), services)
    headers = {**HEADERS, "Content-Type": metrics.CONTENT_TYPE}
    return Response(text, headers=headers)


def _tallest(days: tuple[Day, ...], field: str) -> int:
    return max((getattr(d, field) for d in days[-BARS:]), default=0)


def bars(days: tuple[Day, ...], field: str, tallest: int) -> list[Bar]:
    """(x, y, width, height, words) of a bar for each of the last days on which anything came.

    `tallest` is the value of a bar of full height.
    """
    shown = days[-BARS:]
    values = [getattr(d, field) for d in shown]
    top, step = max(tallest, 1), WIDTH / max(len(shown), 10)
    return [
        (
            round(i * step + 1, 1),
            round(HEIGHT - HEIGHT * v / top, 1),
            round(step - 2, 1),
            round(HEIGHT * v / top, 1),
            f"{d.day}: {v:,}",
        )
        for i, (d, v) in enumerate(zip(shown, values, strict=True))
    ]


def curve(found: Dashboard) -> list[tuple[float, float, float, str]]:
    """(x, y, radius, words) of each bin of the reliability plot, on a square of HEIGHT."""
    return [
        (
            round(b.foretold * HEIGHT, 1),
            round(HEIGHT - b.happened * HEIGHT, 1),
            round(3 + 5 * (b.count / found.reliability.count) ** 0.5, 1),
            f"{b.foretold:.0%} foretold, {b.happened:.0%} approved, {b.count} decisions",
        )
        for b in found.reliability.bins
    ]


def _found(request: Request) -> Dashboard | None:
    project, services = workbench.project(), workbench.services()
    try:
        name = request.path_params.get("sync")
        sync = project.find(name) if name else None
    except WfopsError:
        return None
    with services.engine.connect() as conn:
        return dashboard(conn, project, services, sync)


def _json(body: Any, status: int = 200) -> Response:
    text = json.dumps(body, default=_plain, ensure_ascii=False)
    return Response(text, status, headers=HEADERS, media_type="application/json")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
