"""What is behind an error of requests or urllib3, which wrap what happened several times."""

from __future__ import annotations

import ssl
from collections.abc import Iterator


def behind(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it wraps, each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def distrusted(error: BaseException) -> str | None:
    """Why the other side's certificate is not trusted, if that was it; then nothing was sent."""
    for one in behind(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({one.verify_message})"
    return None


TRUST = (
    "check the address and the certificate; if an authority of your own signed it, let "
    "REQUESTS_CA_BUNDLE name a file with that authority's certificate"
)
