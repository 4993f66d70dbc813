"""Where a system is and what opens it, read from the environment."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from wfops_pipelines.core.redact import secrets_of
from wfops_pipelines.errors import SettingsError

QUOTED = 300  # characters of an answer that a message quotes


class Signing(Protocol):
    """How a request carries the token: `<header>: <prefix><token>`, in base 64 if `encoded`.

    `bearer`, `basic` and `api_key("X-Key")` of `wfops_pipelines.sources` are such.
    """

    @property
    def header(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    @property
    def encoded(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """`Authorization: Bearer <token>`."""

    header: str = "Authorization"
    prefix: str = "Bearer "
    encoded: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """A system's address, the headers that open it, and what must show nowhere."""

    url: str
    headers: Mapping[str, str]
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Access({self.url!r})"


def variables(system: str) -> tuple[str, str]:
    """The names of the environment variables for a system's address and token."""
    name = re.sub(r"\W", "_", system, flags=re.ASCII).upper()
    return f"WFOPS_{name}_URL", f"WFOPS_{name}_TOKEN"


def setting(name: str, system: str, environ: Mapping[str, str]) -> str:
    """A variable of the environment. Raises SettingsError when it is not set."""
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set: the destination {system!r} needs it.")
    return value


def access(system: str, signing: Signing, environ: Mapping[str, str]) -> Access:
    """How to get into an HTTP API. Raises SettingsError, naming the variable and the repair."""
    url_name, token_name = variables(system)
    url = setting(url_name, system, environ).rstrip("/")
    if not re.match(r"https?://[^\s@?#\\]+$", url):
        raise SettingsError(
            f"{url_name}: not an http or https address, or one with a user, a query or a fragment. "
            f"Repair: set it to scheme and host, for example https://api.{system}.example"
        )
    token = setting(token_name, system, environ)
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise SettingsError(f"{token_name}: no token has blanks or line breaks. Copy it again.")
    sent = b64encode(token.encode("ascii")).decode("ascii") if signing.encoded else token
    secrets = sorted({token, sent, *secrets_of(environ)}, key=len, reverse=True)
    return Access(url, {signing.header: f"{signing.prefix}{sent}"}, tuple(secrets))
