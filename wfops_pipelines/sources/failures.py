"""What went wrong with a request, in words that name the system, the request and the repair."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.core.exchange import exchange, without_secrets
from wfops_pipelines.core.findings import Json
from wfops_pipelines.errors import (
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnreachable,
    SyncFailure,
)

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_LONGEST_QUOTE = 200
_SKEW = 60.0  # seconds by which a clock may differ before it is worth a word
_MISSING = (404, 410)
_PASSING = (408, 425)  # the server was not ready: as a time-out


@dataclass(slots=True)
class Asked:
    """The request that a message is about; `token` and `hidden` only to keep them out of quotes.

    `last` is the exchange of that moment, which goes with the failure as evidence.
    """

    system: str
    path: str
    attempts: int
    token: str
    method: str = "GET"
    hidden: list[str] = field(default_factory=list)
    last: tuple[PreparedRequest, Response | None] | None = None

    def __repr__(self) -> str:
        return f"Asked({self.system!r}, {self.path!r})"

    @property
    def words(self) -> str:
        return f"{self.system}: {self.method} {self.path}"

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset({self.token, *self.hidden} - {""})

    def saw(self, request: PreparedRequest, response: Response | None) -> None:
        """Remember the newest exchange."""
        self.last = (request, response)

    def unanswered(self, response: Response | None = None) -> None:
        """Remember that the newest request got no answer, or only a broken one."""
        if self.last is not None:
            self.last = (self.last[0], response)

    def malformed(self, problem: str, repair: str | None = None) -> SourceMalformed:
        """Return the failure for an answer that is not what the API promises."""
        advice = repair or (
            "compare the answer with the vendor's documentation, adapt the source or report it "
            "to the vendor; then retry"
        )
        return SourceMalformed(f"{self.words}: {problem}. Repair: {advice}", self.evidence())

    def unreachable(self, problem: str, repair: str | None = None) -> SourceUnreachable:
        """Return the failure for a server that did not answer properly in all attempts."""
        advice = repair or (
            f"check that {variables(self.system)[0]} is right and the vendor's status page; "
            "then retry"
        )
        return SourceUnreachable(
            f"{self.words}: {problem} (attempts: {self.attempts}). Repair: {advice}",
            self.evidence(insisted=True),
        )

    def status(self, answer: Response) -> SyncFailure:
        """Return the failure for an error status that stayed."""
        status = answer.status_code
        said = f"answered {status}{self.quote(answer.text)}"
        if limited(status, answer.headers):
            wish = patience(answer.headers.get("Retry-After"))
            return SourceRateLimited(
                f"{self.words} {said}{wish} (attempts: {self.attempts}). Repair: retry later, "
                f"sync less often, or ask the vendor for a higher limit",
                self.evidence(insisted=True),
            )
        if status in (401, 403):
            return self.refused(said)
        if status >= 500 or status in _PASSING:  # it is there: the address is right
            return self.unreachable(
                said, "retry later; if it stays so, look at the vendor's status page"
            )
        if status in _MISSING:
            return self.malformed(
                said, "correct the path in the sync, or let the token see it; then retry"
            )
        return self.malformed(said)

    def refused(self, said: str) -> SourceRefused:
        """Return the failure for credentials that the vendor does not take."""
        return SourceRefused(
            f"{self.words} {said}. Repair: renew the token in {variables(self.system)[1]} "
            f"and check that it may read this path; then retry",
            self.evidence(),
        )

    def hide(self, *secrets: str) -> None:
        """Keep these out of what is quoted, too."""
        self.hidden.extend(secrets)

    def quote(self, body: str) -> str:
        """Return the beginning of what the vendor said, without the token."""
        text = " ".join(_clean(without_secrets(body, self.secrets, "***")).split())
        if not text:
            return ""
        ending = "…" if len(text) > _LONGEST_QUOTE else ""
        return f" ({text[:_LONGEST_QUOTE]}{ending})"

    def evidence(self, *, insisted: bool = False) -> dict[str, Json] | None:
        """Return the newest exchange without secrets; `insisted` when all attempts were made."""
        if self.last is None:
            return None
        request, answer = self.last
        method, url = request.method or "GET", request.url or self.path
        if answer is None:
            told = exchange(method, url, self.secrets)
        else:
            told = exchange(
                method, url, self.secrets,
                status=answer.status_code, headers=answer.headers, body=_content(answer),
            )  # fmt: skip
            told |= skew(answer.headers.get("Date"), time.time())
        return {**told, "attempts": self.attempts} if insisted else told


def limited(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer asks for patience; GitHub says so with a 403."""
    spent = headers.get("X-RateLimit-Remaining", "").strip() == "0"
    return status == 429 or (status == 403 and ("Retry-After" in headers or spent))


def patience(wish: str | None) -> str:
    """Return in words what a Retry-After asks for: seconds or a date; nothing else is repeated."""
    if wish is not None and wish.strip().isdecimal():
        return f", asking for {wish.strip()[:9]} s of patience"
    moment = _date(wish)
    return f", asking for patience until {moment:%Y-%m-%d %H:%M:%S %Z}" if moment else ""


def skew(date: str | None, now: float) -> dict[str, Json]:
    """Return a word about the vendor's clock, by an answer's Date, when it differs from ours."""
    moment = _date(date)
    ahead = moment.timestamp() - now if moment else 0.0
    if abs(ahead) < _SKEW:
        return {}
    return {
        "clock": f"the vendor's clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    }


def _date(text: str | None) -> Any:
    try:
        return parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None


def _content(answer: Response) -> bytes:
    """The body as far as it came; a cut one cannot be read again."""
    content = getattr(answer, "_content", None)
    return content if isinstance(content, bytes) else b""


def _clean(text: Any) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text)[:4000])
