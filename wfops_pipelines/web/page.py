"""One page: its template, and the headers that keep it harmless whatever the data says."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from wfops_pipelines import workbench
from wfops_pipelines.core.findings import plural
from wfops_pipelines.web.inbox import span

# Data from a SaaS system never runs as code, not even if an escape were forgotten: a page has no
# origin of its own (so that no script on it could act for its reader), and runs our script alone.
_SANDBOX = (
    "sandbox{scripts} allow-top-navigation-by-user-activation allow-popups "
    "allow-popups-to-escape-sandbox allow-downloads; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _SANDBOX.format(scripts=""),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Pulse:
    """Where a page asks whether it is still true, and the answer when it was made."""

    url: str
    seen: str
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def headers(self) -> dict[str, str]:
        policy = _SANDBOX.format(scripts=" allow-scripts")
        ours = f"{policy}; script-src 'nonce-{self.nonce}'; connect-src 'self'"
        return {**HEADERS, "Content-Security-Policy": ours}


def page(
    template: str, status: int = 200, *, pulse: Pulse | None = None, **values: Any
) -> Response:
    trouble = workbench.trouble()
    text = _environment().get_template(template).render(pulse=pulse, trouble=trouble, **values)
    return HTMLResponse(text, status, pulse.headers if pulse else HEADERS)


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
    environment.filters["plural"] = plural
    environment.filters["age"] = _age
    environment.filters["span"] = lambda seconds: span(timedelta(seconds=seconds))
    return environment


def _age(then: datetime, now: datetime) -> str:
    return span(now - then)


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
