"""A session that tries again what may pass: limits, 5xx, time-outs, cut bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfops_pipelines.sources.failures import limited, patience
from wfops_pipelines.sources.rest import Retries

if TYPE_CHECKING:
    from requests import Response, Session

    from wfops_pipelines.apis.signing import Post

_PASSING = (408, 425, 429, *range(500, 600))


def insisting(timeout: float, deadline: float, retries: Retries) -> Session:
    """Return dlt's session; Retry-After is honoured, in seconds or as a date, up to the longest
    wait."""
    from dlt.sources.helpers.requests.retry import DEFAULT_RETRY_EXCEPTIONS, Client
    from requests.exceptions import ContentDecodingError

    from wfops_pipelines.apis.deadline import Within

    session = Client(
        request_timeout=timeout,
        raise_for_status=False,
        status_codes=_PASSING,
        exceptions=(*DEFAULT_RETRY_EXCEPTIONS, ContentDecodingError),
        request_max_attempts=retries.attempts,
        request_backoff_factor=retries.backoff,
        request_max_retry_delay=retries.longest_wait,
        retry_condition=_asks_for_patience,
    ).session
    for scheme in ("http://", "https://"):
        session.mount(scheme, Within(deadline))
    return session


def posting(timeout: float, deadline: float, retries: Retries) -> Post:
    """Send forms in a session of their own."""

    def post(url: str, form: dict[str, str], auth: tuple[str, str]) -> Response:
        def whole(response: Response, **_: Any) -> None:
            response.content  # noqa: B018 - read here, so that a cut body is asked for again
            plain_patience(response)

        with insisting(timeout, deadline, retries) as session:
            return session.post(
                url, data=form, auth=auth, allow_redirects=False, hooks={"response": [whole]}
            )

    return post


def _asks_for_patience(response: Response | None, _: BaseException | None) -> bool:
    return response is not None and limited(response.status_code, response.headers)


def plain_patience(response: Response) -> None:
    """Drop a Retry-After that is neither seconds nor a date: dlt would stumble over it."""
    wish = response.headers.get("Retry-After")
    if wish is not None and (not patience(wish) or len(wish) > 60):
        del response.headers["Retry-After"]
