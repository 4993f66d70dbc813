"""What each value of a column was that is text only because its values are of several types.

A row stays the same row when others beside it are repaired, so that its version goes by this. It
is kept with the snapshot's file; see `NOTE`.
"""

from __future__ import annotations

import ast
import base64
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from wfops_pipelines.core.parts import Read
from wfops_pipelines.store.inferring import in_utc

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

Mixed: TypeAlias = "Mapping[str, npt.NDArray[np.uint8]]"
"""By column, for each row the place in `KINDS` of what its value was."""

KINDS = ("text", "int", "float", "bool", "Decimal", "datetime", "date", "bytes")
NOTE = b"wfops.mixed"  # JSON in a file's metadata: by column, base64 of the deflated bytes


def kinds_of(values: Sequence[Any], found: pa.Array) -> npt.NDArray[np.uint8] | None:
    """The kind of each value, where `found`, made of them, is text and they are not all texts."""
    import numpy as np
    import pyarrow.types as pt

    if not pt.is_string(found.type) or not any(map(_is_typed, set(map(type, values)))):
        return None
    return np.array([KINDS.index(_kind(v)) for v in values], np.uint8)


def _kinds_in(part: pa.Table, name: str, mixed: Mixed) -> npt.NDArray[np.uint8]:
    import numpy as np
    import pyarrow.types as pt

    if name in mixed or name not in part.column_names:
        return mixed.get(name, np.zeros(part.num_rows, np.uint8))
    tests: dict[str, Callable[[pa.DataType], bool]] = {
        "int": pt.is_integer, "float": pt.is_floating, "bool": pt.is_boolean,
        "Decimal": pt.is_decimal, "datetime": pt.is_timestamp, "date": pt.is_date,
        "bytes": pt.is_binary,
    }  # fmt: skip
    kind = part.schema.field(name).type
    named = next((n for n, test in tests.items() if test(kind)), "text")
    return np.where(np.asarray(part[name].is_null()), 0, KINDS.index(named)).astype(np.uint8)


def each_kind(
    column: pa.Array, kinds: npt.NDArray[np.uint8]
) -> Iterator[tuple[npt.NDArray[np.intp], pa.Array | list[Decimal]]]:
    """Places and values of each kind, as a column of them alone would have them.

    Decimals are a list: Arrow has no type that holds each of any two.
    """
    import numpy as np

    for kind in np.unique(kinds):
        yield from _each_read(column, np.flatnonzero(kinds == kind), KINDS[kind])


def _each_read(
    column: pa.Array, at: npt.NDArray[np.intp], kind: str
) -> Iterator[tuple[npt.NDArray[np.intp], pa.Array | list[Decimal]]]:
    """What no longer spells a value of its kind, as when a rule has tidied it, is the text."""
    import pyarrow as pa

    try:
        yield at, _read(column.take(at), kind)
    except (ValueError, TypeError, SyntaxError, ArithmeticError, pa.ArrowException):
        if len(at) == 1:
            yield at, column.take(at)
            return
        half = len(at) // 2
        yield from _each_read(column, at[:half], kind)
        yield from _each_read(column, at[half:], kind)


def noted(mixed: Mixed) -> dict[bytes, bytes]:
    """The metadata that keeps this with a file."""
    packed = {n: base64.b64encode(zlib.compress(k.tobytes())).decode() for n, k in mixed.items()}
    return {NOTE: json.dumps(packed).encode()} if packed else {}


def read_note(schema: pa.Schema) -> Mixed:
    """What `noted` kept."""
    import numpy as np

    packed = json.loads((schema.metadata or {}).get(NOTE, b"{}"))
    return {
        name: np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
        for name, text in packed.items()
    }


def joined(names: Iterable[str], parts: Read, each: Sequence[Mixed]) -> Mixed:
    """Of all rows of these columns, whose parts are the parts' and were of these kinds."""
    import numpy as np

    found = {}
    for name in names:
        kinds = [_kinds_in(p, name, m) for p, m in zip(parts([name]), each, strict=True)]
        found[name] = np.concatenate(kinds)
    return found


def sliced(mixed: Mixed, at: int, rows: int) -> Mixed:
    """Of `rows` rows from `at` on."""
    return {name: kinds[at : at + rows] for name, kinds in mixed.items()}


def masked(mixed: Mixed, mask: Any) -> Mixed:
    """Of the rows where `mask`, an Arrow array of booleans, is true; None: of all."""
    if mask is None or not mixed:
        return mixed
    stays = mask.to_numpy(zero_copy_only=False)
    return {name: kinds[stays] for name, kinds in mixed.items()}


def _is_typed(kind: type) -> bool:
    return issubclass(kind, bool | int | float | Decimal | date | bytes)


def _kind(value: Any) -> str:
    """Text is also what is too large for its kind, or no time."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(2**63) <= value < 2**63 else "text"
    if isinstance(value, Decimal):
        return "Decimal" if value.is_finite() else "text"
    if isinstance(value, datetime):
        return "datetime" if value == value and _has_utc(value) else "text"
    return next((k.__name__ for k in (float, date, bytes) if isinstance(value, k)), "text")


def _has_utc(value: datetime) -> bool:
    """The last hours of all that there are may lie beyond them elsewhere."""
    if value.tzinfo is None or 1 < value.year < 9999:
        return True
    try:
        return bool(value.astimezone(UTC))
    except OverflowError:
        return False


def _read(column: pa.Array, kind: str) -> pa.Array | list[Decimal]:
    """The values of one kind out of their texts."""
    import pyarrow as pa

    types: dict[str, tuple[Callable[[str], Any], pa.DataType]] = {
        "int": (_whole, pa.int64()),
        "float": (float, pa.float64()),
        "bool": (lambda text: text in ("true", "True"), pa.bool_()),  # the latter is a key's
        "datetime": (lambda text: in_utc(datetime.fromisoformat(text)), pa.timestamp("us", "UTC")),
        "date": (date.fromisoformat, pa.date32()),
        "bytes": (ast.literal_eval, pa.binary()),
    }
    if kind == "text":
        return column
    if kind == "Decimal":
        return list(map(Decimal, column.to_pylist()))
    read, arrow = types[kind]
    return pa.array(map(read, column.to_pylist()), arrow)


def _whole(text: str) -> int:
    """A key's may be spelled as a fraction: 33.0."""
    found = Decimal(text)
    if found != found.to_integral_value():
        raise ValueError(text)
    return int(found)
