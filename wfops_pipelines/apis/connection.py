"""Where a system is and what opens it, read from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from wfops_pipelines.errors import SettingsError


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """A system's address and its token. The token is in no repr and no message.

    `kept` is where a refresh token that the vendor hands out is kept; None keeps none.
    """

    base_url: str
    token: str
    kept: Path | None = None

    def __repr__(self) -> str:
        return f"Connection(base_url={self.base_url!r}, token='***')"


@dataclass(frozen=True, slots=True)
class Auth:
    """How a request carries the token: `<header>: <prefix><token>`, in base 64 if `encoded`."""

    header: str = "Authorization"
    prefix: str = "Bearer "
    encoded: bool = False


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Get access tokens at `token_path` below the system's address; see `oauth2`."""

    token_path: str
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    scope: str = ""


@dataclass(frozen=True, slots=True)
class NoAuth:
    """Requests carry no token, and there is none; see `no_auth`."""


Signing: TypeAlias = Auth | OAuth2 | NoAuth

bearer = Auth()
no_auth = NoAuth()
"""For an API that anybody may ask."""
basic = Auth(prefix="Basic ", encoded=True)
"""The token is `user:password`."""


def api_key(header: str) -> Auth:
    """Send the bare token in a header of the vendor's choice."""
    return Auth(header, "")


def oauth2(
    token_path: str,
    *,
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials",
    scope: str = "",
) -> OAuth2:
    """Exchange what `WFOPS_<SYSTEM>_TOKEN` holds for access tokens (RFC 6749, 4.4 and 6).

    It is `client-id:client-secret`, and for the grant `refresh_token` a third part, the refresh
    token. An access token is renewed before it ends, and once when the vendor answers 401. A new
    refresh token that the vendor hands out takes the place of the one given, in the state folder's
    `tokens/` (for its owner only), until the variable holds another.

    Raises:
        ValueError: a path that does not start with one slash, or another grant.
    """
    if not token_path.startswith("/") or token_path.startswith("//"):
        raise ValueError(f"the token path must start with one slash: {token_path!r}")
    if grant not in ("client_credentials", "refresh_token"):
        raise ValueError(f"the grant is client_credentials or refresh_token, not {grant!r}")
    return OAuth2(token_path, grant, scope)


def variables(system: str) -> tuple[str, str]:
    """Return the names of the environment variables for a system's address and token."""
    name = re.sub(r"\W", "_", system, flags=re.ASCII).upper()
    return f"WFOPS_{name}_URL", f"WFOPS_{name}_TOKEN"


def connection_for(system: str, environ: Mapping[str, str], auth: Signing = bearer) -> Connection:
    """Read `WFOPS_<SYSTEM>_URL` and, where there is one, `WFOPS_<SYSTEM>_TOKEN`.

    Raises:
        SettingsError: one is missing or cannot be used; names the variable and the repair.
    """
    url_name, token_name = variables(system)
    url = _present(url_name, environ, f"https://api.{system}.example").rstrip("/")
    problem = _wrong_with_url(url)
    if problem:
        raise SettingsError(
            f"{url_name}: {problem}. Repair: set it to scheme and host (and port), "
            f"for example https://api.{system}.example"
        )
    if isinstance(auth, NoAuth):
        return Connection(url, "")
    token = _present(token_name, environ, "<the token>")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise SettingsError(
            f"{token_name}: the token contains spaces, line breaks or characters outside ASCII. "
            "Repair: copy it again without quotes"
        )
    return Connection(url, token, _kept(system, environ))


def _kept(system: str, environ: Mapping[str, str]) -> Path | None:
    state = environ.get("WFOPS_STATE")
    name = variables(system)[1].removeprefix("WFOPS_").removesuffix("_TOKEN").lower()
    return Path(state) / "tokens" / f"{name}.json" if state else None


def _present(name: str, environ: Mapping[str, str], example: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set. Repair: export {name}={example}")
    return value


def _wrong_with_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "not an address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "not an http or https address"
    if "@" in parts.netloc or "\\" in url or not url.isprintable() or " " in url:
        return "an address must not contain a user, a password, spaces or backslashes"
    return (
        "an address must not have a query or a fragment" if parts.query or parts.fragment else None
    )
