"""What came of a request to a SaaS API, as evidence and in words that name the repair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfops_pipelines.apis.behind import TRUST, distrusted
from wfops_pipelines.apis.connection import variables
from wfops_pipelines.apis.late import Expired, expired
from wfops_pipelines.core.exchange import excerpt, exchange
from wfops_pipelines.errors import (
    DestinationDenied,
    DestinationRateLimited,
    DestinationRefused,
    DestinationUnreachable,
    RowRefused,
)

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from wfops_pipelines.core.findings import Json

QUOTED = 300  # characters of an answer that a message quotes
REPAIR = (
    "If the cause can be mended over there, do that and retry. If the row is wrong, mend it at the "
    "source, from where it comes as a newer version, and leave_out this one."
)
ABOUT_ROW = (400, 404, 409, 410, 412, 413, 414, 422, 451)  # asked again, it says the same


class OutcomeUnknown(DestinationUnreachable):
    """The request may have arrived, or not, and must not be sent twice."""


@dataclass(slots=True)
class Told:
    """The failures of one system; `secrets` stay out of whatever is said."""

    system: str
    url: str
    secrets: set[str] = field(default_factory=set)
    last: tuple[PreparedRequest, Response | None] | None = None

    def __repr__(self) -> str:
        return f"Told({self.system!r})"

    @property
    def token(self) -> str:
        """The variable that holds the token."""
        return variables(self.system)[1]

    def saw(self, request: PreparedRequest, response: Response | None) -> None:
        """Remember the newest exchange, of a token or of a row."""
        self.last = (request, response)

    def hide(self, *secrets: str) -> None:
        """Keep these out of what is quoted, too."""
        self.secrets.update(s for s in secrets if s)

    def quote(self, body: str) -> str:
        """The beginning of what the API said, without secrets."""
        said = " ".join(excerpt(body.encode(), 400, self.secrets).split())[:QUOTED]
        return f" (“{said}”)" if said else ""

    def refused(self, said: str) -> DestinationDenied:
        """Credentials that the API does not take."""
        return DestinationDenied(
            f"{self.system}: {said}. Renew {self.token}, check what it may write; then retry.",
            self._last(),
        )

    def unreachable(self, problem: str) -> DestinationUnreachable:
        return DestinationUnreachable(
            f"{self.system}: {problem}. Check that the system is up; then retry.", self._last()
        )

    def malformed(self, problem: str) -> DestinationRefused:
        return DestinationRefused(f"{self.system}: {problem}. {REPAIR}", self._last())

    def status(self, answer: Response) -> DestinationRefused:
        """An error status of the token endpoint."""
        request = answer.request
        path = str(request.url).removeprefix(self.url)
        failure = self.of_status(f"{request.method} {path}", answer, safe=True)
        if isinstance(failure, RowRefused):  # it was about the credentials
            return DestinationRefused(str(failure), failure.exchange)
        return failure

    def lost(self, asked: str, error: Exception, safe: bool) -> DestinationRefused:
        """A request without a whole answer; OutcomeUnknown where it must not be repeated."""
        late, distrust = expired(error), distrusted(error)
        said = f"{self.system}: {asked} {distrust or _how(error, late)}"
        method, path = asked.split(" ", 1)
        facts = exchange(method, self.url + path, self.secrets)
        if distrust:
            return DestinationUnreachable(f"{said}. Repair: {TRUST}; then retry.", facts)
        if safe or _never_sent(error):
            longer = ", or give it a longer deadline=" if late else ""
            advice = f"Check that the system is up{longer}; then retry."
            return DestinationUnreachable(f"{said}. {advice}", facts)
        return OutcomeUnknown(f"{said}; it may have arrived all the same.", facts)

    def of_status(self, asked: str, answer: Response, *, safe: bool) -> DestinationRefused:
        """The failure for an answer that is no success."""
        status, failure = answer.status_code, self._said(asked, answer)
        if status == 429:
            return DestinationRateLimited(f"{failure} Retry later.", failure.exchange)
        if status in (401, 403):
            repair = f"Renew {self.token}, check what it may write; then retry."
            return DestinationDenied(f"{failure} {repair}", failure.exchange)
        if status < 500:
            kind = RowRefused if status in ABOUT_ROW else DestinationRefused
            return kind(f"{failure} {REPAIR}", failure.exchange)
        if safe:
            return DestinationUnreachable(f"{failure} Retry when it is well.", failure.exchange)
        return OutcomeUnknown(f"{failure} It may have been done all the same.", failure.exchange)

    def _said(self, asked: str, answer: Response) -> DestinationRefused:
        """What was asked and what came back, in words and as evidence."""
        status = answer.status_code
        method, path = asked.split(" ", 1)
        facts = exchange(
            method, self.url + path, self.secrets, status=status,
            headers=answer.headers, body=answer.content,
        )  # fmt: skip
        said = " ".join(excerpt(answer.content, status, self.secrets).split())[:QUOTED]
        quoted = f" (“{said}”)" if said else ""
        return DestinationRefused(
            f"{self.system}: {asked} was refused with {status}{quoted}.", facts
        )

    def _last(self) -> dict[str, Json] | None:
        if self.last is None:
            return None
        request, answer = self.last
        method, url = request.method or "GET", request.url or self.url
        if answer is None:
            return exchange(method, url, self.secrets)
        return exchange(
            method, url, self.secrets, status=answer.status_code, headers=answer.headers,
            body=answer.content,
        )  # fmt: skip


def _how(error: Exception, late: Expired | None) -> str:
    return late.words if late else f"did not get through ({type(error).__name__})"


def _never_sent(error: Exception) -> bool:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
