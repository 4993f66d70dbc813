"""Parts of one extraction, each with the types that it settled on, as rows of one schema.

Only what the parts say of themselves is kept; the values are looked at again where they disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from wfops_pipelines.core.parts import Read, Rows
from wfops_pipelines.store.inferring import Types, spelled_out, type_named, typed

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT = 2**53  # whole numbers up to here are the same as doubles
_MOST_DIGITS = 38, 76  # of Arrow's smaller and larger decimal


class Fitting:
    """The columns seen so far, in order of first appearance, with the types they had.

    A column that is null throughout a part says nothing about its type.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, pa.DataType]] = {}
        self._exact: dict[str, bool] = {}

    def see(self, part: pa.Table) -> None:
        """Take a part in."""
        for name in part.column_names:
            kinds, column = self._kinds.setdefault(name, {}), part[name]
            if column.null_count == len(column):
                continue
            kinds[str(column.type)] = column.type
            if str(column.type) == "int64":
                self._exact[name] = self._exact.get(name, True) and _is_exact(column)

    def quarrels(self, name: str) -> bool:
        """Whether parts had this column in several types."""
        return len(self._kinds.get(name, ())) > 1

    def schema(self, held: Types | None, again: Read) -> pa.Schema:
        """The columns' types; where parts disagree, the `held` one if all values fit it.

        `again` yields the parts once more, with the columns named.
        """
        import pyarrow as pa

        return pa.schema(
            [(n, self._type(n, kinds, held, again)) for n, kinds in self._kinds.items()]
        )

    def _type(
        self,
        name: str,
        kinds: Mapping[str, pa.DataType],
        held: Types | None,
        again: Read,
    ) -> pa.DataType:
        import pyarrow as pa

        wanted = (held or {}).get(name)
        if len(kinds) <= 1:
            return next(iter(kinds.values()), type_named(wanted or "string"))
        if wanted is not None and wanted != "string":
            found = _all_fit(name, wanted, again)
            if found is not None:
                return found
        if set(kinds) == {"int64", "double"} and self._exact.get(name, True):
            return pa.float64()
        return _widest(list(kinds.values())) or pa.string()


def fitted(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """The part with all columns of the schema, in its types; no value changes but its spelling."""
    import pyarrow as pa

    if part.schema.equals(schema):
        return part
    columns = [_fit(part, field) for field in schema]
    return pa.table(columns, schema=schema)


def refitted(read: Read, schema: pa.Schema, count: int) -> Rows:
    """`count` rows that `read` yields in parts of any schema, as rows of this one."""

    def parts(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        import pyarrow as pa

        wanted = schema if columns is None else pa.schema([schema.field(c) for c in columns])
        for part in read(columns):
            yield fitted(part, wanted)

    return Rows(schema, count, parts)


def followed_by(rows: Rows, few: pa.Table) -> Rows:
    """The rows and then a few more, in types that hold both."""
    fitting = Fitting()

    def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        yield from rows.parts(_known(rows, columns))
        yield few if columns is None else few.select([c for c in columns if c in few.column_names])

    for part in read(None):
        fitting.see(part)
    return refitted(read, fitting.schema(None, read), rows.num_rows + few.num_rows)


def _known(rows: Rows, columns: Sequence[str] | None) -> Sequence[str] | None:
    return None if columns is None else [c for c in columns if c in rows.column_names]


def _fit(part: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    import pyarrow as pa
    import pyarrow.types as pt

    if field.name not in part.column_names:
        return pa.nulls(part.num_rows, field.type)
    column = part[field.name]
    if column.type == field.type:
        return column
    if column.null_count == len(column):
        return pa.nulls(part.num_rows, field.type)
    numbers = str(column.type) == "int64" and str(field.type) == "double"
    if numbers or (pt.is_decimal(column.type) and pt.is_decimal(field.type)):
        return column.cast(field.type)
    values = column.to_pylist()
    found = None if pt.is_string(field.type) else typed(values, field.type)
    return spelled_out(values) if found is None else found


def _is_exact(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return bool(ends["min"] >= -_EXACT and ends["max"] <= _EXACT)


def _all_fit(name: str, wanted: str, again: Read) -> pa.DataType | None:
    kind = type_named(wanted)
    for part in again([name]):
        if name in part.column_names and typed(part[name].to_pylist(), kind) is None:
            return None
    return kind


def _widest(kinds: Sequence[pa.DataType]) -> pa.DataType | None:
    """The decimal that holds all of these decimals; None where there is none."""
    import pyarrow as pa
    import pyarrow.types as pt

    if not all(pt.is_decimal(k) for k in kinds):
        return None
    scale = max(k.scale for k in kinds)
    digits = max(k.precision - k.scale for k in kinds) + scale
    some, most = _MOST_DIGITS
    if digits > most:
        return None
    return pa.decimal128(digits, scale) if digits <= some else pa.decimal256(digits, scale)
