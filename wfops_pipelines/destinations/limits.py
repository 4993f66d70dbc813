"""Which rows the columns of any database would refuse, as far as SQLAlchemy reads their types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, Enum, Float, Integer, Numeric, String, Uuid
from sqlalchemy.types import TypeEngine

from wfops_pipelines.destinations.foreseeing import Misfit, empty, lacking, spelled_out, unburied
from wfops_pipelines.destinations.names import DELETED_AT, SEQ
from wfops_pipelines.destinations.staging import names_in

if TYPE_CHECKING:
    import pyarrow as pa

Test: TypeAlias = "Callable[[pa.ChunkedArray], pa.ChunkedArray]"
"""Which values are refused; null where that is nothing that can be told of one."""

_UUID = r"^\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$"


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that a column does not take. why: in words, without a value."""

    column: str
    why: str
    refuses: Test


@dataclass(frozen=True, slots=True)
class Limits:
    """What a table takes. wanted: columns that a new row must have, beside the key."""

    limits: tuple[Limit, ...] = ()
    wanted: tuple[str, ...] = ()

    @classmethod
    def of(cls, conn: Connection, columns: Sequence[Mapping[str, Any]], key: str) -> Limits:
        """columns: as SQLAlchemy's inspector tells them."""
        theirs = [c for c in columns if c["name"] not in (SEQ, DELETED_AT)]
        found = [limit for c in theirs for limit in _of(c, conn.dialect.name, key)]
        wanted = [c["name"] for c in theirs if c["name"] != key and _must(c)]
        return cls((*found,), (*wanted,))

    def misfits(self, rows: pa.Table, key: str, new: Any, living: Any) -> Iterator[Misfit]:
        """new: which rows are not in the table. living: which are no tombstones."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names, alive = names_in(rows, key), pa.array(living)
        for limit in self.limits:
            if limit.column in rows.column_names:
                mask = pc.and_(pc.fill_null(limit.refuses(rows[limit.column]), False), alive)
                if keys := _kept(names, mask.combine_chunks()):
                    yield Misfit(limit.why, limit.column, keys)
        missing = [n for n in self.wanted if n not in rows.column_names]
        if missing and (keys := _kept(names, pa.array(new & living))):
            yield lacking(missing[0], keys)
        if self.wanted and (keys := _kept(names, pa.array(new & ~living))):
            yield unburied(self.wanted[0], keys)


def _kept(names: pa.Array, mask: pa.Array) -> tuple[str, ...]:
    return tuple(names.filter(mask).to_pylist())


def joined(misfits: Sequence[Misfit]) -> tuple[Misfit, ...]:
    """Those for one reason as one, in the order in which they came."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for misfit in misfits:
        found.setdefault((misfit.why, misfit.column), []).extend(misfit.keys)
    return tuple(Misfit(why, column, (*keys,)) for (why, column), keys in found.items())


def _must(column: Mapping[str, Any]) -> bool:
    filled = column.get("default") is not None or column.get("identity") or column.get("computed")
    return not column["nullable"] and not filled and column.get("autoincrement") is not True


def _of(column: Mapping[str, Any], dialect: str, key: str) -> Iterator[Limit]:
    import pyarrow.compute as pc

    name = column["name"]
    if not column["nullable"] and name != key:
        yield Limit(name, empty(name), pc.is_null)
    if dialect == "sqlite":  # which keeps any value in any column
        return
    found = _test(column["type"])
    if found is not None:
        yield Limit(name, f"{name} {found[0]}", found[1])


def _test(type_: TypeEngine[Any]) -> tuple[str, Test] | None:
    """What a value is that the type does not take, and how to tell."""
    match type_:
        case Enum() if type_.enums:
            some = spelled_out(type_.enums)
            return f"is none of the labels {some}", _texts(partial(_none_of, type_.enums))
        case String(length=int(longest)):
            return f"is longer than {longest:,} characters", _texts(partial(_longer, longest))
        case Uuid():
            return "is not of the type uuid", _texts(_no_uuid)
        case Float():
            return None
        case Numeric(precision=int(digits), scale=int(places)):
            most = Decimal(10) ** (digits - places) - Decimal(10) ** -places
            half = Decimal(5) * Decimal(10) ** -(places + 1)
            return f"is beyond {most:,f}, the most that the column takes", partial(
                _beyond, most + half
            )
        case Integer() if type_.__visit_name__ in _WHOLE and not getattr(type_, "unsigned", False):
            most = Decimal(_WHOLE[type_.__visit_name__])
            return f"is beyond {most:,}, the most that the column takes", partial(_beyond, most)
    return None


_WHOLE = {"SMALLINT": 2**15 - 1, "INTEGER": 2**31 - 1}


def _texts(test: Test) -> Test:
    """A test of texts alone: what else comes there is the database's to say."""

    def texts_only(column: pa.ChunkedArray) -> pa.ChunkedArray:
        import pyarrow as pa

        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return test(column)
        return pa.chunked_array([pa.nulls(len(column), pa.bool_())])

    return texts_only


def _none_of(labels: Sequence[str], column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    unknown = pc.invert(pc.is_in(column, value_set=pa.array(labels, column.type)))
    return pc.and_(unknown, pc.is_valid(column))


def _longer(longest: int, column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.greater(pc.utf8_length(pc.utf8_rtrim(column, " ")), longest)  # blanks are cut off


def _no_uuid(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.invert(pc.match_substring_regex(column, _UUID))


def _beyond(most: Decimal, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """By doubles: what differs beyond their digits is the database's to say."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return pa.chunked_array([pa.nulls(len(column), pa.bool_())])
    size = pc.abs(column.cast(pa.float64(), safe=False))
    return (
        pc.greater(size, float(most))
        if kind != pa.float64()
        else pc.and_(pc.greater(size, float(most)), pc.is_finite(column))
    )
