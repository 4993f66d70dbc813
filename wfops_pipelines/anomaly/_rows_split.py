"""Which published rows teach a row model, and which ones tell what its evidence is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from wfops_pipelines.anomaly._hashing import hash_column, mix
from wfops_pipelines.anomaly._plain import plain
from wfops_pipelines.errors import SchemaRefused

MOST_ROWS = 60_000
_FRESH = 0.5

Flags = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn from and rows to calibrate on; are the latter of `other_days`?

    `snapshot` numbers the snapshot that each row to calibrate on is from, where that matters.
    """

    known: Any
    held_out: Any
    other_days: bool
    snapshot: Ints


def split(tables: Sequence[Any], key: str | None) -> Split:
    """Each thing counts once, however many snapshots it is in, and no key is on both sides.

    The oldest third of several tables calibrates: the rules then know the newest rows, beside
    which the next ones stand, and how far days are from others is the same in both directions.
    Where most of its keys come again (a full refresh) half of the keys calibrate: a row that is
    there twice is no proof that new ones fit.
    """
    tables = _alike(list(tables))
    if len(tables) < 3:
        return _halves(_joined(tables))
    cut = len(tables) - max(len(tables) * 2 // 3, 1)
    name = _identity(tables, key)
    if name is None:
        return _by_time(_joined(tables[cut:]), _joined(tables[:cut]), _numbered(tables[:cut]))
    early, late = (_latest(part, name) for part in (tables[:cut], tables[cut:]))
    alone = ~np.isin(_ids(early[0], name), _ids(late[0], name))
    if alone.mean() < _FRESH:
        return _halves(_latest(tables, name)[0])
    return _by_time(late[0], early[0].filter(pa.array(alone)), early[1][alone])


def _alike(tables: list[Any]) -> list[Any]:
    if not tables:
        raise SchemaRefused("no published rows to learn from: publish a snapshot first")
    names = tables[-1].schema.names
    if len(set(names)) < len(names):
        raise SchemaRefused("two columns have one name: rename one at the source")
    return [_stored_plainly(t) for t in tables if t.schema.names == names]


def _stored_plainly(table: Any) -> Any:
    """Without dictionaries and views, which are another storage of the same values."""
    kinds = [_stored(field.type) for field in table.schema]
    return table.cast(pa.schema(list(zip(table.schema.names, kinds, strict=True))))


def _stored(kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type)
    views = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return views.get(kind, kind)


def _joined(tables: Sequence[Any]) -> Any:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        schemas = [t.schema for t in tables]
        names = [n for n in schemas[-1].names if len({s.field(n).type for s in schemas}) > 1]
        raise SchemaRefused(
            f"columns {names} of published tables are of types that do not go together "
            f"({error}): fit on the tables since the last change of type"
        ) from error


def _identity(tables: Sequence[Any], key: str | None) -> str | None:
    """The key, or else a column that never repeats in a snapshot but does from one to the next."""
    if key in tables[-1].schema.names:
        return key
    return next((n for n in tables[-1].schema.names if _names_rows(tables, n)), None)


def _names_rows(tables: Sequence[Any], name: str) -> bool:
    before: Hashes | None = None
    again = rows = 0
    for table in reversed(tables):
        kind, array = plain(table.column(name))
        ids = np.unique(hash_column(array))
        if kind not in ("number", "text") or array.null_count or len(ids) < len(array):
            return False
        if before is not None:
            again, rows = again + int(np.isin(ids, before).sum()), rows + len(ids)
        before = ids
    return again > _FRESH * rows


def _ids(table: Any, name: str) -> Hashes:
    """A hash a key; rows without a key are told apart by all that they hold."""
    array = plain(table.column(name))[1]
    ids = hash_column(array)
    return (
        np.where(np.asarray(array.is_valid()), ids, _row_keys(table)) if array.null_count else ids
    )


def _numbered(tables: Sequence[Any]) -> Ints:
    return np.repeat(np.arange(len(tables)), [t.num_rows for t in tables])


def _latest(tables: Sequence[Any], name: str) -> tuple[Any, Ints]:
    """The newest version of each row, and the number of its snapshot."""
    whole, age = _joined(tables), _numbered(tables)
    ids = _ids(whole, name)
    order = np.lexsort((_row_keys(whole), -age, ids))
    first = np.concatenate([[True], ids[order][1:] != ids[order][:-1]])
    return whole.take(pa.array(order[first])), age[order[first]]


def _row_keys(table: Any) -> Hashes:
    keys = np.zeros(table.num_rows, np.uint64)
    for column in table.columns:
        keys = mix(keys ^ hash_column(plain(column)[1]))
    return keys


def _thin(table: Any) -> Ints:
    """Rows in the order of their hashes (any order in gives one order out), at most `MOST_ROWS`."""
    return np.argsort(_row_keys(table), kind="stable")[:MOST_ROWS]


def _by_time(late: Any, early: Any, snapshot: Ints) -> Split:
    known, held_out = _thin(late), _thin(early)
    rows = late.take(pa.array(known)), early.take(pa.array(held_out))
    return Split(*rows, True, snapshot[held_out])


def _halves(table: Any) -> Split:
    table = table.take(pa.array(_thin(table)))
    half = max(table.num_rows // 2, 1)
    rest = table.slice(half) if table.num_rows > half else table
    return Split(table.slice(0, half), rest, False, np.zeros(rest.num_rows, np.int64))
