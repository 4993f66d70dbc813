"""The files of a folder as one table: the newest row of each key counts. Found by keys alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfops_pipelines.core.snapshot import DELETED
from wfops_pipelines.destinations.comparing import as_text, cast_exactly
from wfops_pipelines.destinations.folder import File, Folder
from wfops_pipelines.destinations.names import SEQ
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Held:
    """All rows of the files, those of the newest snapshot first.

    schema: each column in a type that holds it in all files, which is text where no other does.
    """

    folder: Folder
    files: tuple[File, ...]
    schema: pa.Schema

    @classmethod
    def of(cls, folder: Folder, shown: pa.Schema, key: str, but: str | None = None) -> Held:
        """The columns `shown` of all files but one; CSV is read with the types that they have.

        Raises DestinationRefused for a file whose rows have no such key.
        """
        types = {f.name: f.type for f in shown}
        names = [*dict.fromkeys([*types, SEQ, DELETED])]
        found = [folder.file(n, names, types) for n in folder.names() if n != but]
        _refuse_strangers(folder, found, {key, SEQ, DELETED})
        found.sort(key=lambda f: f.name[:19], reverse=True)  # those of one snapshot stay in order
        return cls(folder, tuple(found), _together(folder, found))

    def parts(self, file: File, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of one of the files, each column in the type that it has in all of them."""
        for part in self.folder.read(file, columns):
            yield _fitted(part, self.schema, [c for c in columns if c in self.schema.names])

    def blocks(self, key: str, rows: Callable[[], int]) -> Iterator[pa.Table]:
        """Key, SEQ and DELETED of all rows, in blocks of at least as many rows as `rows` says.

        So that looking up as many keys in each block takes a time that grows with the rows alone.
        """
        waiting: list[pa.Table] = []
        for file in self.files:
            for part in self.parts(file, [key, SEQ, DELETED]):
                waiting.append(part)
                if sum(map(len, waiting)) >= max(rows(), self.folder.at_once):
                    yield _one(waiting)
                    waiting = []
        if waiting:
            yield _one(waiting)

    def living(self, key: str) -> pa.Array:
        """The keys of all rows that live."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        known = pa.array([], self.schema.field(key).type if self.files else pa.string())
        lives = pa.array([], pa.bool_())
        blocks = self.blocks(key, lambda: len(known))
        for block in blocks:
            block = block.append_column("", pa.array(np.arange(len(block))))
            block = block.take(block.group_by(key).aggregate([("", "min")])["_min"])
            block = block.filter(pc.invert(pc.is_in(block[key], known)))
            known = pa.concat_arrays([known, *block[key].chunks])
            alive = pc.invert(pc.fill_null(block[DELETED], False))
            lives = pa.concat_arrays([lives, *alive.chunks])
        return known.filter(lives)


@dataclass(frozen=True, slots=True)
class Newest:
    """For each key of a parcel, where the newest row of it is held, as NumPy arrays.

    places: how many rows of `Held` come before it; -1 where there is none. seqs, gone: which
    snapshot's row it is, and whether it is a tombstone.
    """

    places: Any
    seqs: Any
    gone: Any

    @classmethod
    def of(cls, held: Held, key: str, mine: pa.Array) -> Newest:
        import numpy as np
        import pyarrow.compute as pc

        mine, as_it_is = _comparable(held, key, mine)
        found = cls(np.full(len(mine), -1), np.zeros(len(mine), int), np.zeros(len(mine), bool))
        at = 0
        for block in held.blocks(key, lambda: len(mine)):
            theirs = block[key] if as_it_is is None else as_it_is(block[key])
            place = pc.fill_null(pc.index_in(mine, theirs.combine_chunks()), -1)
            place = np.asarray(place)
            new = (place >= 0) & (found.places < 0)
            there = place[new]
            found.places[new] = at + there
            found.seqs[new] = np.asarray(block[SEQ])[there]
            found.gone[new] = np.asarray(pc.fill_null(block[DELETED], False))[there]
            at += len(block)
        return found


def _comparable(
    held: Held, key: str, mine: pa.Array
) -> tuple[pa.Array, Callable[[pa.ChunkedArray], pa.ChunkedArray] | None]:
    """The parcel's keys, and how the held ones are made alike: text, where one does not fit."""
    if not held.files or held.schema.field(key).type == mine.type:
        return mine, None
    parts = (p[key] for f in held.files for p in held.parts(f, [key]))
    if all(fits(part, mine.type) for part in parts):
        return mine, lambda column: column.cast(mine.type)
    return in_text(mine), in_text


def in_text(column: Any) -> Any:
    """A column as text, each value as by itself: some bytes are text and others are none."""
    import pyarrow as pa

    if not pa.types.is_large_binary(column.type):
        return as_text(column)
    texts = [None if value is None else str(value) for value in column.to_pylist()]
    return pa.chunked_array([texts], pa.string())


def fits(column: pa.ChunkedArray, type_: pa.DataType) -> bool:
    """Whether each value of a column has one in this type."""
    import pyarrow as pa

    try:
        cast_exactly(column, type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _refuse_strangers(folder: Folder, files: Sequence[File], needed: set[str]) -> None:
    for file in files:
        if missing := sorted(needed - set(file.schema.names)):
            raise DestinationRefused(
                f"{folder.root}/{file.name} has no column {', '.join(missing)}, so that nobody can "
                "say which rows it holds. Move it away, or name another folder; then retry."
            )


def _together(folder: Folder, files: Sequence[File]) -> pa.Schema:
    import pyarrow as pa

    names = dict.fromkeys(n for file in files for n in file.schema.names)
    return pa.schema([(n, _type_in_all(folder, files, n)) for n in names])


def _type_in_all(folder: Folder, files: Sequence[File], name: str) -> pa.DataType:
    import pyarrow as pa

    having = [f for f in files if name in f.schema.names]
    kinds = list(dict.fromkeys(f.schema.field(name).type for f in having))
    if len(kinds) == 1:
        return kinds[0]
    schemas = [pa.schema([(name, kind)]) for kind in kinds]
    try:
        wide = pa.unify_schemas(schemas, promote_options="permissive").field(name).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()
    other = [f for f in having if f.schema.field(name).type != wide]
    parts = (part[name] for f in other for part in folder.read(f, [name]))
    return wide if all(fits(part, wide) for part in parts) else pa.string()


def _fitted(part: pa.Table, schema: pa.Schema, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    def column(name: str) -> Any:
        kind = schema.field(name).type
        if name not in part.column_names:
            return pa.nulls(part.num_rows, kind)
        if part[name].type == kind:
            return part[name]
        return in_text(part[name]) if kind == pa.string() else part[name].cast(kind)

    return pa.table({name: column(name) for name in columns})


def _one(tables: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables).combine_chunks()
