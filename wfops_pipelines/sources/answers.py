"""One answer: refused, parsed exactly, or turned into the failure that a person can act on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from wfops_pipelines.apis.behind import TRUST, distrusted
from wfops_pipelines.apis.late import expired
from wfops_pipelines.sources.failures import Asked

if TYPE_CHECKING:
    from requests import RequestException, Response

    from wfops_pipelines.errors import SyncFailure

_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19


def refuse_status(response: Response, asked: Asked) -> None:
    """Let only a 200 pass; requests' own error is what dlt retries.

    Raises:
        HTTPError: 400 and above.
        SourceMalformed: anything else, above all a redirect.
    """
    from requests import HTTPError

    if response.status_code >= 400:
        raise HTTPError(response=response)
    if response.status_code != 200:
        raise asked.malformed(f"answered {response.status_code} where a 200 was expected")


def parse_once(response: Response, content: bytes) -> None:
    """Parse the body and keep it: dlt asks for it several times a page.

    Raises:
        ChunkedEncodingError: not whole JSON; retried, as any other cut body.
    """
    from requests.exceptions import ChunkedEncodingError

    try:
        body = parse(content)
    except (ValueError, RecursionError):
        raise ChunkedEncodingError(
            "the body is not whole JSON", request=response.request, response=response
        ) from None
    setattr(response, "json", lambda **_: body)  # noqa: B010


def parse(content: bytes) -> Any:
    """Return a JSON body, whole numbers exact.

    Raises:
        ValueError: not JSON.
    """
    # orjson is fast, but turns whole numbers beyond 64 bits into floats without a word.
    if _LONG_NUMBER not in content.translate(_DIGITS_ALIKE):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    return json.loads(content)


@contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Turn what requests and dlt raise into the failures of `RestSource.pages`."""
    from requests import HTTPError, RequestException

    try:
        yield
    except HTTPError as error:
        answer = error.response
        assert answer is not None
        asked.saw(answer.request, answer)
        raise asked.status(answer) from None
    except RequestException as error:
        asked.unanswered(error.response)
        raise _unanswered(error, asked) from None
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        # dlt's paginators stumble over odd answers and quote them whole: their words stay out.
        raise asked.malformed(f"the paging cannot be read ({type(error).__name__})") from None


def _unanswered(error: RequestException, asked: Asked) -> SyncFailure:
    from requests import Timeout
    from requests.exceptions import ChunkedEncodingError, ConnectionError, ContentDecodingError

    if late := expired(error):
        return asked.unreachable(
            late.words,
            "give the source a longer deadline= if its answers take so long, or a smaller page; "
            "else check the vendor's status page; then retry",
        )
    if distrust := distrusted(error):
        return asked.unreachable(distrust, f"{TRUST}; then retry")
    match error:
        case Timeout():
            return asked.unreachable("did not answer in time")
        case ChunkedEncodingError() | ContentDecodingError():
            return asked.unreachable("the answer was cut off or is not JSON")
        case ConnectionError():
            return asked.unreachable(
                f"the connection broke or was not made ({type(error).__name__})"
            )
    return asked.malformed(f"the request cannot be made ({type(error).__name__})")
