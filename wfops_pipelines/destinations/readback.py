"""A record as an API has it, compared with what would be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from wfops_pipelines.core.same import same
from wfops_pipelines.core.snapshot import says_gone
from wfops_pipelines.destinations.forms import written

_COLUMN = "{}"


def record_in(body: Any, path: str) -> Any:
    """The record in an answer: at a dotted path, or the answer itself for an empty one."""
    for part in filter(None, path.split(".")):
        body = body.get(part) if isinstance(body, Mapping) else None
    return body


def as_sent(record: Any, path: str, body: Any) -> Any:
    """The record in the envelope in which `body` sends it, as {"person": record}; else itself."""
    parts = [*filter(None, path.split("."))]
    for part in parts:
        body = body[part] if isinstance(body, Mapping) and [*body] == [part] else None
    if record is None or not isinstance(body, Mapping):
        return record
    return reduce(lambda inner, part: {part: inner}, reversed(parts), record)


def differs(record: Any, sent: Any, form: bool = False) -> bool:
    """Whether sending `sent` would change the record: fields that are not sent do not count.

    Nor does how the API spells a value. What is sent as a `form` has no nothing: it is an empty
    text there.
    """
    if isinstance(sent, Mapping):
        known = record if isinstance(record, Mapping) else {}
        return any(differs(known.get(name), value, form) for name, value in sent.items())
    if sent and isinstance(sent, list) and isinstance(record, list) and len(sent) == len(record):
        return any(differs(r, s, form) for r, s in zip(record, sent, strict=True))
    if form and written(record) == written(sent) == "":
        return any(v and isinstance(v, Mapping | list) for v in (record, sent))
    return not same(record, sent)


def columns_of(body: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(column, where its value stands in the record) for each field that is just one column."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            yield from columns_of(value, (*path, name))
    elif isinstance(body, str) and body[:1] + body[-1:] == _COLUMN:
        yield body[1:-1], path


def value_at(record: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        record = record.get(part) if isinstance(record, Mapping) else None
    return record


def archived(record: Any, gone: str | None) -> bool:
    """Whether a record says at the dotted path `gone` that it was deleted."""
    return gone is not None and says_gone(value_at(record, tuple(gone.split("."))))


def remote_id(body: Any) -> str | None:
    """The first `id` in an answer, the outermost first."""
    return next(_ids(body), None)


def _ids(body: Any) -> Iterator[str]:
    if isinstance(body, Mapping):
        if body.get("id") is not None:
            yield str(body["id"])
        for value in body.values():
            yield from _ids(value)
