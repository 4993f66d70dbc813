"""Nested records as flat rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flatten(
    record: Mapping[str, Any], *, keep: tuple[str, ...] = (), sep: str = "_"
) -> dict[str, Any]:
    """Return `record` with what is in its objects as columns: `{"a": {"b": 1}}` is `{"a_b": 1}`.

    Lists stay what they are, and so do the objects at the dotted paths of `keep`; both are staged
    as JSON text. An object that is null or empty in every record of a snapshot gives no columns:
    where that can be, name the columns in the sync's function instead.

    Raises:
        ValueError: two values for one column; names it.
    """
    found: dict[str, Any] = {}
    for path, value in _leaves(record, (), keep):
        name = sep.join(path)
        if name in found:
            raise ValueError(
                f"two values for the column {name!r}: pass another sep=, or keep=({path[0]!r},)"
            )
        found[name] = value
    return found


def _leaves(
    record: Mapping[str, Any], above: tuple[str, ...], keep: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in record.items():
        path = (*above, str(name))
        if isinstance(value, Mapping) and ".".join(path) not in keep:
            yield from _leaves(value, path, keep)
        else:
            yield path, value
