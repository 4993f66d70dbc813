"""From a source's pages to one table of what is new: the newest version of each row, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wfops_pipelines import marking
from wfops_pipelines.errors import SchemaRefused
from wfops_pipelines.store import rows
from wfops_pipelines.store.versions import spelled, versions
from wfops_pipelines.sync import Day, Sync

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

AT_ONCE = 20_000  # rows that are Python objects at the same time


@dataclass(frozen=True, slots=True)
class Known:
    """What was staged before: (key, version) of what may come again, and each key's newest cursor.

    A version that is older than its key's newest is no news: a lagging replica tells it.
    """

    seen: frozenset[tuple[str, str]] = frozenset()
    newest: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gathered:
    """New rows, and as many of key (text), version (text) and cursor (a time, or null).

    `repeats` is how many rows were dropped because the same version came twice.
    """

    table: pa.Table
    identity: pa.Table
    repeats: int


def gather(
    sync: Sync,
    pages: Iterable[Any],
    held: Mapping[str, str] | None,
    known: Known,
    day: Day | None = None,
) -> Gathered | None:
    """Rows that are not known, the newest version of each key; None when there is none.

    Of a `day`, rows of other days are left to those. A row without a key is evidence too: all of
    them stay, and the examiners report them.
    """
    parts = list(_parts(sync, pages, held))
    if not parts:
        return None
    table = parts[0] if len(parts) == 1 else rows.join(parts, held)
    _refuse_bytes(sync, table)
    marks = _marks(sync, table)
    fresh = _news(_inside(marks, day), known)
    chosen, repeats = _newest(fresh)
    if not len(chosen):
        return None
    if len(chosen) < table.num_rows:
        table = table.take(chosen.index.to_numpy())
    return Gathered(table, _identity(chosen), repeats)


def _parts(sync: Sync, pages: Iterable[Any], held: Mapping[str, str] | None) -> Iterator[pa.Table]:
    """What the sync's function makes of the pages, as tables."""
    loose: list[Mapping[str, Any]] = []
    for page in pages:
        found = _read(sync, page)
        if _is_table(found):
            yield marking.of_table(sync, rows.settle(found, held))
            continue
        loose.extend(found)
        if len(loose) >= AT_ONCE:
            yield marking.of_rows(sync, loose, held)
            loose = []
    if loose:
        yield marking.of_rows(sync, loose, held)


def _read(sync: Sync, page: Any) -> Sequence[Mapping[str, Any]] | pa.Table:
    try:
        found = sync.rows(page)
        return found if _is_table(found) else list(found)
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise SchemaRefused(
            f"{sync.name}: the function could not read a page of {len(page)} records ({said}). "
            "The API's answer changed, or the function must learn this case."
        ) from error


def _is_table(found: Any) -> bool:
    import pyarrow as pa

    return isinstance(found, pa.Table)


def _refuse_bytes(sync: Sync, table: pa.Table) -> None:
    """A key is compared as text everywhere, and bytes have none."""
    import pyarrow.types as pt

    if sync.key in table.column_names and pt.is_binary(table.schema.field(sync.key).type):
        raise SchemaRefused(
            f"{sync.name}: the key {sync.key} holds bytes. Return a text for it, as value.hex()."
        )


def identify(sync: Sync, table: pa.Table) -> pa.Table:
    """Key, version and cursor of each row, as `Gathered.identity` has them."""
    return _identity(_marks(sync, table))


def _marks(sync: Sync, table: pa.Table) -> pd.DataFrame:
    """Key, version and cursor of each row; the index says where it stands."""
    import pandas as pd

    keyed = sync.key in table.column_names
    keys = rows.texts(table[sync.key]) if keyed else [None] * table.num_rows
    timed = sync.cursor is not None and sync.cursor in table.column_names
    cursor: Any = table[sync.cursor].to_numpy() if timed else [None] * table.num_rows
    moments = pd.Series(cursor, dtype="datetime64[us]").dt.tz_localize("UTC")
    found = {"key": pd.Series(keys, dtype=object), "version": versions(table), "cursor": moments}
    return pd.DataFrame(found)


def _inside(marks: pd.DataFrame, day: Day | None) -> pd.DataFrame:
    if day is None:
        return marks
    cursor = marks["cursor"]
    return marks[cursor.isna() | ((cursor >= day.start) & (cursor < day.end))]


def _news(marks: pd.DataFrame, known: Known) -> pd.DataFrame:
    import pandas as pd

    if not known.seen and not known.newest:
        return marks
    pairs = zip(_named(marks), spelled(marks["version"].to_numpy()), strict=True)
    unseen = marks[[pair not in known.seen for pair in pairs]] if known.seen else marks
    latest = pd.to_datetime(unseen["key"].map(known.newest), utc=True)
    return unseen[~(unseen["cursor"] < latest)]


def _newest(marks: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """One row for each key, the last of the newest; and how many repeats were dropped."""
    import pandas as pd

    if marks["key"].is_unique:
        return marks, 0
    once = marks.drop_duplicates(["key", "version"])
    named, loose = once[once["key"].notna()], once[once["key"].isna()]
    ordered = named.sort_values("cursor", kind="stable", na_position="last")
    newest = ordered.drop_duplicates("key", keep="last")
    return pd.concat([newest, loose]).sort_index(), len(marks) - len(once)


def _identity(chosen: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "key": pa.array(_named(chosen), pa.string()),
            "version": pa.array(spelled(chosen["version"].to_numpy()), pa.string()),
            "cursor": pa.array(chosen["cursor"], pa.timestamp("us", "UTC"), from_pandas=True),
        }
    )


def _named(marks: pd.DataFrame) -> list[str]:
    """The keys, as the store writes one that is null."""
    return ["None" if key is None else key for key in marks["key"].tolist()]
