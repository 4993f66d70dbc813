"""Whether an address leads to another server than the one that the token is for."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def foreign(url: str, base_url: str) -> str | None:
    """Return what is wrong with `url` as a next page of `base_url`, or None.

    Addresses that two parsers could read differently are refused rather than understood.
    """
    try:
        there, here = _origin(url), _origin(base_url)
    except ValueError:
        return "cannot be read"
    if "\\" in url or not url.isprintable() or " " in url or "@" in urlsplit(url).netloc:
        return "contains a user, a backslash or a blank"
    if there != here:
        return f"lies at another origin ({there[0]}://{there[1]}:{there[2]})"
    return None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)
