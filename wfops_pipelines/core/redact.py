"""What the audit trail keeps of arguments that people sent: their shape, without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wfops_pipelines.core.canonical import canonical, digest
from wfops_pipelines.core.findings import Json

HIDDEN = "[redacted]"
MOST = 8_000  # bytes of canonical JSON; of more, only the digest is kept
SHORTEST_SECRET = 6  # characters; shorter values of the environment would hide common words
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|api.?key|private.?key|authori[sz]ation|cookie"
    r"|(^|[_-])(key|auth|dsn)$",
    re.IGNORECASE,
)
_DATA = ("edits", "rows")  # cells of rows, masked ones perhaps: the decision keeps them, not this
_USERINFO = re.compile(r"(://[^/\s:@]*):([^/\s@]+)@")


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the environment that must show nowhere, the longest first."""
    named = {s for k, v in environ.items() if _SECRET_NAME.search(k) for s in (v, *_inside(v))}
    in_urls = {m[2] for v in environ.values() for m in _USERINFO.finditer(v)}
    long = [s for s in named | in_urls if len(s) >= SHORTEST_SECRET]
    return tuple(sorted(long, key=len, reverse=True))


def _inside(value: str) -> Iterator[str]:
    """The texts in a variable that holds options as JSON."""
    try:
        waiting = [json.loads(value)] if value[:1] == "{" else []
    except ValueError:
        return
    for found in waiting:
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict | list):
            waiting += found.values() if isinstance(found, dict) else found


def is_secret_name(name: str) -> bool:
    """Whether what goes by this name is a secret."""
    return bool(_SECRET_NAME.search(name))


def redacted(value: Any, secrets: Sequence[str] = ()) -> Json:
    """`value` as JSON, with what its name calls a secret, or what is one of `secrets`, hidden."""
    kept = _plain(value, secrets)
    text = canonical(kept)
    return kept if len(text) <= MOST else {"bytes": len(text), "sha256": digest(text)}


def _plain(value: Any, secrets: Sequence[str]) -> Json:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return _mapping(value, secrets)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [_plain(v, secrets) for v in value]
    return hide(str(value), secrets)


def _mapping(value: Mapping[Any, Any], secrets: Sequence[str]) -> Json:
    if set(value) == {"key", "value"} and _SECRET_NAME.search(str(value["key"])):
        return {"key": str(value["key"]), "value": HIDDEN}  # a tag of a run
    return {
        hide(str(k), secrets): HIDDEN if _hides(str(k), v) else _plain(v, secrets)
        for k, v in value.items()
    }


def _hides(name: str, value: Any) -> bool:
    if name == "key" and not isinstance(value, Mapping):
        return False  # of a tag, or of a row
    return name in _DATA or is_secret_name(name)


def hide(text: str, secrets: Sequence[str]) -> str:
    """`text` without `secrets` (the longest first) and without passwords of addresses."""
    for secret in filter(None, secrets):
        text = text.replace(secret, HIDDEN)
    return _USERINFO.sub(rf"\1:{HIDDEN}@", text)
