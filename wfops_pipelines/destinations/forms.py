"""Bodies as forms, the way Stripe and its like read them: `metadata[a]=1&items[0]=b`.

A form knows texts only. Nothing, an empty text and an empty list are all written as an empty text,
which unsets a field; so a record is compared with what was sent as texts, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def pairs(body: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a form, lists numbered from 0."""
    if body and isinstance(body, Mapping):
        for key, value in body.items():
            yield from pairs(value, f"{name}[{key}]" if name else str(key))
    elif body and isinstance(body, list | tuple):
        for at, value in enumerate(body):
            yield from pairs(value, f"{name}[{at}]")
    elif name:
        yield name, written(body)


def written(value: Any) -> str:
    """A value as a form has it."""
    match value:
        case None | Mapping() | list() | tuple():
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what would be empty: a new record has nothing that could be unset."""
    kept = {k: given(v) if isinstance(v, Mapping) else v for k, v in body.items()}
    return {k: v for k, v in kept.items() if v or written(v)}


def bracketed(body: Any) -> str | None:
    """The first name that no form could carry, as it has brackets of its own."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            found = name if set(str(name)) & set("[]") else bracketed(value)
            if found is not None:
                return str(found)
    if isinstance(body, list | tuple):
        return next((f for value in body if (f := bracketed(value)) is not None), None)
    return None
