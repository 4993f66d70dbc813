"""Two versions of a row with one time in one extraction: in which columns they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wfops_pipelines.core.findings import Finding, Json, Severity, counted_rows
from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.snapshot import DELETED, Cell, Snapshot
from wfops_pipelines.core.texts import shortened, visible
from wfops_pipelines.store.rows import texts
from wfops_pipelines.store.versions import versions
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

AT_ONCE = 2**16  # pairs of rows whose texts are in memory at a time
LONGEST = 60  # characters of a value


def contradicted(rows: Rows, key: str, rivals: npt.NDArray[np.int64]) -> tuple[Cell, ...]:
    """(row key, column, value that went, value that stays), of each column of a row once.

    `rivals`: places in `rows` of the row that went and of the one that stays.
    """
    found: dict[tuple[str, str], Cell] = {}
    for at in range(0, len(rivals), AT_ONCE):
        for cell in _cells(rows, key, rivals[at : at + AT_ONCE]):
            found.setdefault(cell[:2], cell)
    return tuple(found.values())


def _cells(rows: Rows, key: str, rivals: npt.NDArray[np.int64]) -> Iterator[Cell]:
    import numpy as np
    import pyarrow as pa

    places, at = np.unique(rivals, return_inverse=True)
    few = pa.concat_tables(_taken(rows, places))
    gone, stays = at.reshape(rivals.shape).T
    keys = texts(few[key])
    for column in few.column_names:
        known = versions(few.select([column]))
        pairs = np.flatnonzero(known[gone] != known[stays])
        if column == key or not len(pairs):
            continue
        before, now = (_shown(few[column].take(side[pairs])) for side in (gone, stays))
        for pair, old, new in zip(pairs, before, now, strict=True):
            yield str(keys[stays[pair]]), column, old, new


def _taken(rows: Rows, places: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    """The rows at these places, in order."""
    begin = 0
    for part in rows.parts():
        inside = places[(places >= begin) & (places < begin + part.num_rows)]
        yield part.take(inside - begin)
        begin += part.num_rows


def _shown(column: pa.ChunkedArray) -> list[str | None]:
    """The values as short texts that a database takes."""
    return [None if v is None else shortened(visible(v), LONGEST) for v in texts(column)]


def contradicted_findings(snapshot: Snapshot, sync: Sync) -> list[Finding]:
    """One finding for each column in which versions differ of which none is the newer one.

    A critical field holds its rows, because a person must say which is true.
    """
    columns = dict.fromkeys(cell[1] for cell in snapshot.contradicted)
    return [
        _finding(column, [c for c in snapshot.contradicted if c[1] == column], sync)
        for column in columns
    ]


def _finding(column: str, cells: list[Cell], sync: Sync) -> Finding:
    keys = tuple(cell[0] for cell in cells)
    what = "whether it is deleted" if column == DELETED else column
    when = f"the same {sync.cursor}" if sync.cursor else "no time that tells which is newer"
    row = "" if sync.key in sync.policy.masked or len(keys) > 1 else f" ({keys[0]})"
    said = (
        f"{what} differs between versions of {counted_rows(len(keys))}{row} that came in one "
        f"extraction with {when}; what came last counts"
    )
    critical = column in sync.policy.critical_fields
    return Finding(
        check="versions",
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        sentence=said,
        column=column,
        measured=len(keys),
        expected=0,
        keys=keys,
        details={} if column in sync.policy.masked else {"reasons": _reasons(cells, when)},
    )


def _reasons(cells: list[Cell], when: str) -> Json:
    """What is told beside each row, as `Finding.reasons_of` reads it."""
    told: dict[str, Json] = {}
    for key, column, *values in cells:
        either, other = ("empty" if v is None else f"“{v}”" for v in values)
        told[key] = [[column, 1.0, f"{column}: {either} or {other}, both with {when}"]]
    return told
