"""Who asks: the person that a trusted proxy vouches for, or the development user."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping

from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.errors import NotAllowed

SECRET_HEADER = "X-Wfops-Proxy-Secret"  # noqa: S105 (its name, not its value)
DEFAULT_HEADER = "X-Forwarded-User"
DEFAULT_DEVELOPER = "developer"
_NAME = re.compile(r"[^\s|\x00-\x1f\x7f](?:[^|\x00-\x1f\x7f]{0,118}[^\s|\x00-\x1f\x7f])?")


def behind_proxy(environ: Mapping[str, str]) -> bool:
    """Whether people reach this server through a proxy that says who they are."""
    return bool(environ.get("WFOPS_PROXY_SECRET"))


def identity_header(environ: Mapping[str, str]) -> str:
    return environ.get("WFOPS_IDENTITY_HEADER") or DEFAULT_HEADER


def developer(environ: Mapping[str, str]) -> Actor:
    """The person at a machine where nothing says who it is: believed, and called unverified."""
    return Actor(environ.get("WFOPS_DEVELOPER") or DEFAULT_DEVELOPER)


def requester(header: Callable[[str], str | None], environ: Mapping[str, str]) -> Actor:
    """The person behind a request, from its headers.

    Without WFOPS_PROXY_SECRET that is the development user, whatever the headers say. With it, the
    request must bring the secret and exactly one name. Raises NotAllowed otherwise.
    """
    if not behind_proxy(environ):
        return developer(environ)
    given, secret = header(SECRET_HEADER) or "", environ["WFOPS_PROXY_SECRET"]
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise NotAllowed("you may not: this server is reached through its sign-in proxy only.")
    name = header(identity_header(environ)) or ""
    if not _NAME.fullmatch(name):
        raise NotAllowed(
            f"you may not: the proxy did not say who you are in {identity_header(environ)}."
        )
    return Actor(name, verified=True)
