"""The product's own pages: readable without a script, harmless whatever the data says."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from wfops_pipelines import reports, workbench
from wfops_pipelines.core.confidence import Confidence, confidence, record
from wfops_pipelines.core.reviews import Review, Verb
from wfops_pipelines.deciding.weighing import weigh
from wfops_pipelines.report import (
    ROWS_ON_THE_PAGE,
    Report,
    failing_rows_csv,
    render_history,
    render_report,
)
from wfops_pipelines.store import audit, controls, reviews
from wfops_pipelines.web import inbox as inboxes
from wfops_pipelines.web import views
from wfops_pipelines.web.dashboards import dashboard_json, dashboard_page, metrics_text
from wfops_pipelines.web.page import HEADERS, Pulse, page
from wfops_pipelines.web.successors import successors

SHOWN = 200  # review requests on one page


def routes() -> list[Route]:
    """Everything under `/wfops`. Only GET: nothing here changes anything."""
    return [
        Route("/wfops", inbox, methods=["GET"]),
        Route("/wfops/r/{review}", review_page, methods=["GET"]),
        Route("/wfops/reports/{sync}/{seq:int}", report_page, methods=["GET"]),
        Route("/wfops/reports/{sync}/{seq:int}/failing.csv", failing_rows, methods=["GET"]),
        Route("/wfops/history/{sync}", history_page, methods=["GET"]),
        Route("/wfops/history/{sync}/{name}", history_page, methods=["GET"]),
        Route("/wfops/dashboard", dashboard_page, methods=["GET"]),
        Route("/wfops/dashboard/{sync}", dashboard_page, methods=["GET"]),
        Route("/wfops/api/dashboard", dashboard_json, methods=["GET"]),
        Route("/wfops/api/dashboard/{sync}", dashboard_json, methods=["GET"]),
        Route("/wfops/metrics", metrics_text, methods=["GET"]),
        Route("/wfops/api/reviews", inbox_json, methods=["GET"]),
        Route("/wfops/pulse", pulse, methods=["GET"]),
        Route("/wfops/pulse/{review}", pulse, methods=["GET"]),
        Route("/wfops/{rest:path}", nothing, methods=["GET"]),
    ]


def inbox(request: Request) -> Response:
    """What waits for a person, and what was decided lately."""
    chosen = {f: v for f in inboxes.FIELDS if (v := request.query_params.get(f))}
    services = workbench.services()
    with services.engine.connect() as conn:
        seen = _pulse(conn, None)
        waiting = reviews.listed(conn, limit=2000)
        latest = reviews.listed(conn, pending=False, limit=50)
        known = record(reviews.decided(conn))
        paused = controls.listed(conn)
        pending = {r.id for r in waiting}
        recent = [r for r in latest if r.id not in pending][:20]
        next_ = successors(conn, recent)
        now = services.clock()
        found = inboxes.ordered(inboxes.narrow(waiting, chosen), known, now)
        overrides = _overrides(conn, found[:SHOWN])
    deadlines = {s.name: s.policy.deadline_hours for s in workbench.project().syncs.values()}
    return page(
        "inbox.html",
        title="Inbox",
        total=len(waiting),
        shown=[
            (
                r,
                inboxes.age(r, now),
                inboxes.due(r, deadlines.get(r.sync), now),
                confidence(r, known),
                overrides[r.id],
            )
            for r in found[:SHOWN]
        ],
        more=max(len(found) - SHOWN, 0),
        chosen=chosen,
        choices=inboxes.choices(waiting, chosen),
        causes=inboxes.causes(found),
        paused=paused,
        recent=recent,
        successors=next_,
        pulse=Pulse("/wfops/pulse", seen),
    )


def _overrides(conn: Connection, found: Sequence[Review]) -> dict[str, str]:
    """By request, what approving it sets aside, in words; "" where it is no override.

    By what was found: for so many at once no destination is asked anew.
    """
    syncs, services = workbench.project().syncs, workbench.services()
    weighed = {r.id: weigh(conn, r, syncs.get(r.sync), services, ask=False) for r in found}
    return {id: w.overridden(Verb.APPROVE) for id, w in weighed.items()}


def inbox_json(_: Request) -> Response:
    """The pending review requests, for other tools."""
    with workbench.services().engine.connect() as conn:
        known = record(reviews.decided(conn))
        found = inboxes.ordered(reviews.listed(conn), known, workbench.services().clock())
    return JSONResponse(
        [{**views.review_json(r), **_told(confidence(r, known))} for r in found], headers=HEADERS
    )


def _told(found: Confidence | None) -> dict[str, Any]:
    if found is None:
        return {}
    shown = None if found.shown is None else round(found.shown, 3)
    return {"confidence": shown, "because": found.words}


def review_page(request: Request) -> Response:
    """All the evidence of one review request, and the way to decide it."""
    id = request.path_params["review"]
    with workbench.services().engine.connect() as conn:
        review = reviews.get(conn, id)
        if review is None:
            return page("nothing.html", 404, title="No such review request", what=id)
        live = Pulse(f"/wfops/pulse/{id}", _pulse(conn, review))
        told = confidence(review, record(reviews.decided(conn)))
        view = views.review_view(conn, workbench.project(), workbench.services(), review)
    title = f"{review.sync} #{review.seq}" if review.seq else review.sync
    return page("review.html", title=title, pulse=live, confidence=told, **view)


def pulse(request: Request) -> Response:
    """A text that is another one when the inbox, or a review request, has changed."""
    id = request.path_params.get("review")
    with workbench.services().engine.connect() as conn:
        review = None if id is None else reviews.get(conn, id)
        text = "" if id is not None and review is None else _pulse(conn, review)
    headers = {"Access-Control-Allow-Origin": "null", "Cache-Control": "no-store"}
    return PlainTextResponse(text, headers=headers)


def _pulse(conn: Connection, review: Review | None) -> str:
    seen: object = reviews.traces(conn), controls.listed(conn)
    if review is not None:
        seen = review.state.value, review.assigned_to, audit.count(conn, review.subject)
    return hmac.new(workbench.secret(), repr(seen).encode(), "sha256").hexdigest()[:16]


def report_page(request: Request) -> Response:
    """The expectation report of one snapshot."""
    found = _report(request)
    return _missing(request) if found is None else _html(render_report(found))


def failing_rows(request: Request) -> Response:
    """The failing rows of one snapshot as a CSV file."""
    found = _report(request, None)
    if found is None:
        return _missing(request)
    name = f"{found.snapshot.sync}-{found.snapshot.seq}-failing.csv"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(failing_rows_csv(found), media_type="text/csv", headers=headers)


def history_page(request: Request) -> Response:
    """How a sync's expectations, or one of them, did over its last snapshots."""
    sync, name = request.path_params["sync"], request.path_params.get("name")
    services, project = workbench.services(), workbench.project()
    with services.engine.connect() as conn:
        found = reports.history(conn, project, services, sync, name)
    return _missing(request) if found is None else _html(render_history(found))


def _report(request: Request, most: int | None = ROWS_ON_THE_PAGE) -> Report | None:
    sync, seq = request.path_params["sync"], request.path_params["seq"]
    services, project = workbench.services(), workbench.project()
    with services.engine.connect() as conn:
        return reports.report(conn, project, services, sync, seq, most=most)


def _missing(request: Request) -> Response:
    return page("nothing.html", 404, title="Nothing was examined here", what=request.url.path)


def _html(text: str) -> Response:
    return HTMLResponse(text, headers=HEADERS)


def nothing(request: Request) -> Response:
    return page("nothing.html", 404, title="No such page", what=request.url.path)
