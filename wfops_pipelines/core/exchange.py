"""A request to another system and its answer, as evidence for a person: no secrets, no rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from wfops_pipelines.core.findings import Json
from wfops_pipelines.core.redact import HIDDEN, is_secret_name

LONGEST = 500  # characters of a body that are kept
_READ = 65_536  # bytes of a body that are looked at
_SHOWN = re.compile(
    r"content-(type|length)|date|retry-after|(x-)?rate-?limit.*|(x-)?request-id|www-authenticate"
    r"|server|location|link|etag|last-modified",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"""(["']?)([\w.-]+)\1(\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&"'<>}]+)"""
)
_BEARER = re.compile(r"\b(bearer|basic|token)\s+(?=\S*\d)[\w.~+/=-]{6,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def exchange(
    method: str,
    url: str,
    secrets: Iterable[str] = (),
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> dict[str, Json]:
    """What was asked and what came back; a `status` of None means that nothing did.

    Of an answer that refuses, the beginning of its text; of one that succeeds only its outline,
    for it holds the customers' rows.
    """
    hidden = tuple(secrets)
    asked: dict[str, Json] = {"method": method, "url": clean_url(url, hidden)}
    if status is None:
        return asked
    shown = {k: v for k, v in (headers or {}).items() if _SHOWN.fullmatch(k)}
    told: dict[str, Json] = {k: _header(v, hidden) for k, v in sorted(shown.items())}
    return {**asked, "status": status, "headers": told, "body": excerpt(body, status, hidden)}


def excerpt(body: bytes, status: int, secrets: Iterable[str] = ()) -> str:
    """The beginning of a body, as much of it as may be shown."""
    text = body[:_READ].decode("utf-8", "replace")
    if status < 400 and not text.lstrip().startswith("<"):
        try:
            text = outline(json.loads(body))
        except (ValueError, RecursionError):
            text = f"not JSON, {len(body):,} bytes: {shape(text[:LONGEST])}"
    said = without_secrets(text, secrets)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"


def clean_url(url: str, secrets: Iterable[str] = ()) -> str:
    """`url` without user, password, and what its parameters' names call a secret."""
    hidden = tuple(secrets)
    try:
        parts = urlsplit(url)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
        parts = urlsplit(without_secrets(bare.geturl(), hidden))
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return without_secrets(url, hidden)
    query = urlencode([(k, HIDDEN if is_secret_name(k) else v) for k, v in pairs], safe="[]:")
    return without_secrets(parts._replace(query=query).geturl(), hidden)


def without_secrets(text: str, secrets: Iterable[str] = (), hidden: str = HIDDEN) -> str:
    """`text` without `secrets`, what is named as one, tokens, and e-mail addresses."""
    written = {s for secret in secrets if secret for s in (secret, quote(secret, safe=""))}
    for secret in sorted(written, key=len, reverse=True):
        text = text.replace(secret, hidden)
    text = _JWT.sub(hidden, _BEARER.sub(lambda m: f"{m[1]} {hidden}", text))
    text = _NAMED.sub(lambda m: _hide_named(m, hidden), text)
    return _MAIL.sub("…@…", text)


def outline(value: object, depth: int = 4) -> str:
    """The structure of a JSON value: names and types, and no value but true, false and null."""
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return "text"
        case int() | float():
            return "number"
        case list():
            inner = outline(value[0], depth - 1) if value and depth else "…" if value else ""
            return f"[{len(value)} × {inner}]" if value else "[]"
        case dict():
            if not depth:
                return "{…}"
            parts = [f"{_name(k)}: {outline(v, depth - 1)}" for k, v in list(value.items())[:40]]
            return "{" + ", ".join([*parts, *(["…"] if len(value) > 40 else [])]) + "}"
    return type(value).__name__


def shape(text: str, longest: int = LONGEST) -> str:
    """`text` with each letter as `a` and each digit as `9`: its form without what it says."""
    formed = "".join("9" if c.isnumeric() else "a" if c.isalpha() else c for c in text[:longest])
    clean = "".join(c if c.isprintable() else " " for c in formed)
    return f"{clean}…" if len(text) > longest else clean


def _header(value: str, secrets: tuple[str, ...]) -> str:
    return without_secrets(" ".join(value.split()), secrets)[:LONGEST]


def _name(key: str) -> str:
    return key if re.fullmatch(r"[\w.$-]{1,60}", key) and not key.isdigit() else shape(key, 30)


def _hide_named(found: re.Match[str], hidden: str) -> str:
    if not is_secret_name(found[2]):
        return found[0]
    return f"{found[1]}{found[2]}{found[1]}{found[3]}{hidden}"
