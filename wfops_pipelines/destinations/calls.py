"""Requests to a SaaS API: how they are written, and filled from a row."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from string import Formatter
from typing import Any
from urllib.parse import quote as url_quote

from wfops_pipelines.core.near import did_you_mean
from wfops_pipelines.errors import RowRefused

_CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/(?!/)\S*)$")
_ALONE = re.compile(r"\{[^{}]+\}")
REPEATABLE = ("GET", "PUT", "PATCH", "DELETE")  # done twice is done once


@dataclass(frozen=True, slots=True)
class Call:
    """A method and a path with columns in braces, as `PATCH /contacts/{id}`."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def repeatable(self) -> bool:
        return self.method in REPEATABLE

    def filled(self, values: Mapping[str, Any]) -> str:
        """The path for one row. Raises RowRefused where a column is missing or null."""
        return self.path.format_map(_Quoted(values, str(self)))


class _Quoted(dict[str, str]):
    def __init__(self, values: Mapping[str, Any], call: str) -> None:
        found = {k: url_quote(str(v), safe="") for k, v in values.items() if v is not None}
        super().__init__(found)
        self._call, self._named = call, values

    def __missing__(self, name: str) -> str:
        raise RowRefused(
            f"{self._call}: the row has no {name}. Repair the sync, or the path of its "
            f"destination{_meant(name, self._named)}."
        )


def call(text: str) -> Call:
    """Read `POST /contacts`. Raises ValueError for anything else."""
    found = _CALL.match(text)
    if not found:
        raise ValueError(
            f'{text!r} is no request. Write method and path, as "POST /contacts" or '
            '"PATCH /contacts/{id}".'
        )
    return Call(found[1], found[2])


def fill(value: Any, row: Mapping[str, Any], *, meant: bool = False) -> Any:
    """A body with its columns filled in; a text that is only one column keeps its type.

    meant: what is compared with an answer, where 10.50 and a moment are no texts, though JSON has
    none of them. Raises RowRefused where a longer text has a column that is null or missing.
    """
    match value:
        case str() if value[:1] == "{" and value[-1:] == "}" and value[1:-1] in row:
            return _put(row[value[1:-1]], meant)
        case str():
            return value.format_map(_Present(row))
        case Mapping():
            return {k: fill(v, row, meant=meant) for k, v in value.items()}
        case list() | tuple():
            return [fill(v, row, meant=meant) for v in value]
        case _:
            return value


def _put(value: Any, meant: bool) -> Any:
    return value if meant and isinstance(value, date | Decimal) else _as_json(value)


def columns_in(value: Any) -> Iterator[str]:
    """The columns that a path or a body names. Raises ValueError for a brace that stands alone."""
    match value:
        case str() if _ALONE.fullmatch(value):
            yield value[1:-1]
        case str():
            try:
                parts = [*Formatter().parse(value)]
            except ValueError as error:
                raise ValueError(
                    f"{value!r} is no text with columns in braces ({error}). Write {{{{ and }}}} "
                    "where braces stand for themselves"
                ) from None
            yield from (re.split(r"[.\[]", name)[0] for _, name, _, _ in parts if name is not None)
        case Mapping():
            yield from (name for v in value.values() for name in columns_in(v))
        case list() | tuple():
            yield from (name for v in value for name in columns_in(v))


def merged(one: Any, over: Any) -> Any:
    """Both objects as one; where both say something, `over` counts."""
    if not (isinstance(one, Mapping) and isinstance(over, Mapping)):
        return over
    both = {name: merged(one[name], over[name]) for name in over if name in one}
    return {**one, **over, **both}


class _Present(dict[str, Any]):
    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__({k: v for k, v in row.items() if v is not None})
        self._row = row

    def __missing__(self, name: str) -> str:
        if name not in self._row:
            raise RowRefused(
                f"the rows have no column {name}, which the body names. Let the sync's function "
                f"return it, or repair the body{_meant(name, self._row)}."
            )
        raise RowRefused(
            f"the row has no {name}, which the body puts into a text. Let the sync's function fill "
            f'it, or the body name it alone, as "{{{name}}}", where it may be null.'
        )


def _meant(name: str, row: Mapping[str, Any]) -> str:
    return "" if name in row else did_you_mean(name, row)


def _as_json(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            raise RowRefused(
                f"the row has {value}, which JSON does not know. Let the sync's function return "
                "None for it."
            )
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case _:
            return value
