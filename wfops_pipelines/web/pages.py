"""The product's own pages: readable without a script, harmless whatever the data says."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from wfops_pipelines import workbench
from wfops_pipelines.store import audit, reviews
from wfops_pipelines.web import views

HEADERS = {
    # Data from a SaaS system never runs as code, not even if an escape were forgotten.
    "Content-Security-Policy": (
        "sandbox allow-top-navigation-by-user-activation allow-popups "
        "allow-popups-to-escape-sandbox allow-downloads; default-src 'none'; "
        "style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes() -> list[Route]:
    """Everything under `/wfops`. Only GET: nothing here changes anything."""
    return [
        Route("/wfops", inbox, methods=["GET"]),
        Route("/wfops/r/{review}", review_page, methods=["GET"]),
        Route("/wfops/reports/{sync}/{seq:int}", report_page, methods=["GET"]),
        Route("/wfops/api/reviews", inbox_json, methods=["GET"]),
        Route("/wfops/{rest:path}", nothing, methods=["GET"]),
    ]


def inbox(_: Request) -> Response:
    """What waits for a person, and what was decided lately."""
    with workbench.services().engine.connect() as conn:
        waiting = reviews.listed(conn)
        recent = [r for r in reviews.listed(conn, pending=False, limit=50) if r not in waiting]
    return page("inbox.html", title="Inbox", waiting=waiting, recent=recent[:20])


def inbox_json(_: Request) -> Response:
    """The pending review requests, for other tools."""
    with workbench.services().engine.connect() as conn:
        return JSONResponse([views.review_json(r) for r in reviews.listed(conn)], headers=HEADERS)


def review_page(request: Request) -> Response:
    """All the evidence of one review request, and the way to decide it."""
    id = request.path_params["review"]
    with workbench.services().engine.connect() as conn:
        review = reviews.get(conn, id)
        if review is None:
            return page("nothing.html", 404, title="No such review request", what=id)
        view = views.review_view(conn, workbench.project(), workbench.services(), review)
    return page("review.html", title=f"{review.sync} #{review.seq or ''}", **view)


def report_page(request: Request) -> Response:
    """The expectation report of one snapshot."""
    sync, seq = request.path_params["sync"], request.path_params["seq"]
    with workbench.services().engine.connect() as conn:
        view = views.report_view(conn, workbench.project(), sync, seq)
        if view is None:
            return page("nothing.html", 404, title="No such snapshot", what=f"{sync} #{seq}")
        trail = audit.trail(conn, f"{sync} #{seq}")
    return page("report.html", title=f"{sync} #{seq}", trail=trail, **view)


def nothing(request: Request) -> Response:
    return page("nothing.html", 404, title="No such page", what=request.url.path)


def page(template: str, status: int = 200, **values: Any) -> Response:
    text = _environment().get_template(template).render(**values)
    return HTMLResponse(text, status, HEADERS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = lambda t: f"{t:%Y-%m-%d %H:%M:%S} UTC"
    environment.filters["short"] = lambda h: f"{h[:12]}…"
    environment.filters["number"] = lambda n: f"{n:,}"
    environment.filters["shown"] = _shown
    return environment


def _shown(value: Any) -> str:
    match value:
        case None:
            return "–"
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,}"
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)
