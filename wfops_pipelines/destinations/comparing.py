"""Rows of a parcel against what a destination holds, column by column, in memory."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.snapshot import Diff
from wfops_pipelines.destinations.names import DELETED_AT, SEQ
from wfops_pipelines.destinations.parcel import Parcel, Written
from wfops_pipelines.postgres.copying import settled

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Met:
    """Each row of a parcel beside what is held of it.

    old: the held rows in the parcel's order, null throughout where there is none. there, lives,
    late, gone: for each row, as arrays of booleans: something is held; it was not deleted; it is
    not older than the parcel; the parcel's row is a tombstone. unlike: how many held rows are of no
    row, though the destination took their keys for those that were asked for.
    """

    rows: pa.Table
    key: str
    old: pa.Table
    there: Any
    lives: Any
    late: Any
    gone: Any
    unlike: int = 0

    def written(self) -> Written:
        """What publishing the parcel does."""
        ok = ~self.late
        return Written(
            inserted=int((ok & ~self.gone & ~self.lives).sum()),
            updated=int((ok & ~self.gone & self.lives).sum()),
            stale=int(self.late.sum()),
            deleted=int((ok & self.gone & self.lives).sum()),
        )

    def diff(self, critical: Iterable[str]) -> Diff:
        """What publishing the parcel would change, with the changes of critical columns."""
        would, alike = self.written(), ~self.late & ~self.gone & self.lives
        differs = {
            c: alike & _differs(self.rows[c], self.old, c)
            for c in self.rows.column_names
            if c != self.key
        }
        updated = int(sum(differs.values()).clip(0, 1).sum()) if differs else 0
        living = int((~self.gone).sum())
        changes = self._changes({c: differs[c] for c in critical if c in differs})
        return Diff(
            would.inserted, updated, living - would.inserted - updated, would.deleted, changes
        )

    def changed(self) -> Any:
        """For each row, whether what is held under its own mark is no more what it says.

        What the table's type rounds, pads or cuts to the second was not changed by anybody.
        """
        import numpy as np

        values = [c for c in self.rows.column_names if c != self.key and c in self.old.column_names]
        unlike = np.zeros(self.rows.num_rows, bool)
        for column in values:
            for i in np.flatnonzero(_differs(self.rows[column], self.old, column)).tolist():
                new, old = self.rows[column][i].as_py(), self.old[column][i].as_py()
                unlike[i] |= not is_rounded(new, old)
        return self.there & ((self.lives == self.gone) | (~self.gone & unlike))

    def _changes(self, watched: dict[str, Any]) -> tuple[Any, ...]:
        import numpy as np

        if not watched:
            return ()
        found = []
        for i in np.flatnonzero(sum(watched.values())).tolist():
            key = str(self.rows[self.key][i].as_py())
            for column, changed in watched.items():
                if changed[i]:
                    known = column in self.old.column_names
                    old = self.old[column][i].as_py() if known else None
                    found.append((key, column, _shown(old), _shown(self.rows[column][i].as_py())))
        return tuple(found)


def is_rounded(new: Any, old: Any) -> bool:
    """Whether `old` is what a column of less precision keeps of `new`."""
    match new, old:
        case (bool(), _) | (_, bool()) | (None, _) | (_, None):
            return False
        case ((int() | float() | Decimal()), (int() | float() | Decimal())):
            exact, kept = Decimal(str(new)), Decimal(str(old))
            if not (exact.is_finite() and kept.is_finite()):
                return False
            return abs(exact - kept) <= Decimal(5).scaleb(int(kept.as_tuple().exponent) - 1)
        case datetime(), datetime():
            return abs(new - old) < timedelta(seconds=1)
        case str(), str():
            return new.rstrip(" ") == old.rstrip(" ") or _same_json(new, old)
    return False


def _same_json(new: str, old: str) -> bool:
    """Whether both are one nested value; a driver may have read JSON into its own objects."""
    if new[:1] not in ("{", "[") or old[:1] != new[:1]:
        return False
    try:
        return bool(json.loads(new) == (json.loads(old) if '"' in old else literal_eval(old)))
    except (ValueError, SyntaxError):
        return False


def meet(parcel: Parcel, held: pa.Table) -> Met:
    """Pair a parcel with the `held` rows, which have the columns SEQ and DELETED_AT, too."""
    import numpy as np
    import pyarrow.compute as pc

    rows, key = settled(parcel.table.select(parcel.columns)), parcel.key
    mine, theirs = _alike(rows[key], held[key])
    at = pc.index_in(mine, theirs.combine_chunks())
    old = held.take(at)
    there = np.asarray(at.is_valid())
    lives = there & np.asarray(old[DELETED_AT].is_null())
    late = np.asarray(pc.fill_null(pc.greater_equal(old[SEQ], parcel.seq), False))
    gone = np.asarray(parcel.tombstones())
    return Met(rows, key, old, there, lives, late, gone, held.num_rows - int(there.sum()))


def _differs(new: Any, held: pa.Table, column: str) -> Any:
    import numpy as np
    import pyarrow.compute as pc

    if column not in held.column_names:
        return np.asarray(new.is_valid())
    new, old = _alike(new, held[column])
    unequal = pc.fill_null(pc.not_equal(new, old), False)
    if str(new.type) == "double":
        both = pc.and_(pc.fill_null(pc.is_nan(new), False), pc.fill_null(pc.is_nan(old), False))
        unequal = pc.and_not(unequal, both)
    return np.asarray(unequal) | (np.asarray(new.is_null()) != np.asarray(old.is_null()))


def _alike(new: Any, old: Any) -> tuple[Any, Any]:
    """Both in one type: the new one's, or text where the old values do not fit it."""
    import pyarrow as pa

    if new.type == old.type:
        return new, old
    try:
        return new, cast_exactly(old, new.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return as_text(new), as_text(old)


def cast_exactly(column: Any, type_: pa.DataType) -> Any:
    """The column in another type. Raises ArrowInvalid where one of its values has none there.

    Arrow itself would round a double to a decimal, and take the time off a day.
    """
    import pyarrow as pa
    import pyarrow.types as pt

    found, kind = column.cast(type_), column.type
    rounded = pt.is_decimal(type_) and pt.is_floating(kind)
    cut = pt.is_timestamp(kind) and (pt.is_date(type_) or pt.is_time(type_))
    truth = pt.is_boolean(type_) and not pt.is_boolean(kind) and not pt.is_string(kind)
    if (rounded or cut or truth) and (pt.is_time(type_) or not found.cast(kind).equals(column)):
        raise pa.ArrowInvalid(f"some {kind} is no {type_}")
    return found


def as_text(column: Any) -> Any:
    """A column of any type as text, nulls as nulls."""
    import pyarrow as pa

    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([[_shown(v) for v in column.to_pylist()]], pa.string())


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)
