"""Columns whose type only rows had changed that do not stay: a source tells them again.

A row that somebody put away, or that was mended by an edit, is told by each extraction that reaches
it. Its "ten" makes texts of the numbers beside it, which came as numbers and are held as such.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.store.inferring import Types, type_named
from wfops_pipelines.store.mixed import KINDS, Mixed
from wfops_pipelines.store.retyping import as_settled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


def as_held(rows: Rows, held: Types, mixed: Mixed, but: Collection[str]) -> tuple[Rows, Mixed]:
    """The rows with columns in the types that are held, where all that stays came as those.

    `mixed` is of the rows, and what of it is told still. Columns of `but` stay as they are.
    """
    wanted = [
        f.name
        for f in rows.schema
        if f.name not in but
        and held.get(f.name, str(f.type)) != str(f.type)
        and _came_as(rows, f, type_named(held[f.name]), mixed.get(f.name))
    ]
    if not wanted:
        return rows, mixed
    found = as_settled(rows, held, wanted)
    same = {n for n in wanted if found.schema.field(n).type == rows.schema.field(n).type}
    return found, {n: k for n, k in mixed.items() if n not in wanted or n in same}


def _came_as(
    rows: Rows, field: pa.Field, kind: pa.DataType, kinds: npt.NDArray[np.uint8] | None
) -> bool:
    """Whether every value that stays came as one of this type; a text that spells one did not."""
    import numpy as np
    import pyarrow.types as pt

    if not pt.is_string(field.type):
        return bool(pt.is_floating(field.type) and pt.is_integer(kind))
    name = _KINDS.get(str(kind))
    if kinds is None or name is None:
        return False
    there = [~np.asarray(p[field.name].is_null()) for p in rows.parts([field.name])]
    return bool((kinds[np.concatenate(there)] == KINDS.index(name)).all())


_KINDS = {
    "int64": "int", "double": "float", "bool": "bool", "date32[day]": "date",
    "timestamp[us, tz=UTC]": "datetime",
}  # fmt: skip
