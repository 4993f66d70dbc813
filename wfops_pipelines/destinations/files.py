"""Files in a folder or an object store: one immutable file a publication, the newest row counts."""

from __future__ import annotations

import io
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.core.exchange import without_secrets
from wfops_pipelines.core.redact import secrets_of
from wfops_pipelines.core.snapshot import DELETED, Diff
from wfops_pipelines.destinations.connection import setting
from wfops_pipelines.destinations.names import DELETED_AT, SEQ
from wfops_pipelines.destinations.parcel import Existing, Parcel, Reverted, Written
from wfops_pipelines.errors import DestinationRefused, DestinationUnreachable

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Engine

    from wfops_pipelines.destinations.comparing import Met

_NAME = re.compile(r"(\d{19})-[0-9a-f]{16}\.(parquet|csv)$")


@dataclass(frozen=True, slots=True)
class FileTable:
    """A folder below `WFOPS_<SYSTEM>_URL`. Each publication adds a file; none is ever changed.

    A file has the rows of one parcel, with `_snapshot_seq` and `_deleted`. What the folder holds
    of a key is the row with the highest `_snapshot_seq`, and nothing where that is `_deleted`.
    """

    system: str
    path: str
    format: str = "parquet"

    @property
    def words(self) -> str:
        return f"files {self.path} in {self.system}"

    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing:  # noqa: ARG002
        with self._open(parcel.environ) as folder:
            met = _met(parcel, folder, self.format)
        picked = [c for c in met.old.column_names if c in columns or c == parcel.key]
        rows = zip(parcel.keys(), met.old.select(picked).to_pylist(), met.lives, strict=True)
        return Existing({key: row for key, row, lives in rows if lives})

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:  # noqa: ARG002
        with self._open(parcel.environ) as folder:
            return _met(parcel, folder, self.format).diff(critical)

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:  # noqa: ARG002
        """Add the parcel's file; where it is there already, say what adding it did."""
        with self._open(parcel.environ) as folder:
            written = _met(parcel, folder, self.format, but=self._name(parcel)).written()
            folder.add(self._name(parcel), _encoded(parcel, self.format), self.words)
            return written

    def revert(self, conn: Connection, parcel: Parcel) -> Reverted:  # noqa: ARG002
        """Remove the parcel's file: older files say again what was there before."""
        with self._open(parcel.environ) as folder:
            met = _met(parcel, folder, self.format, but=self._name(parcel))
            folder.remove(self._name(parcel))
        newer = int(met.late.sum())
        back = int((met.there & ~met.late).sum())
        return Reverted(back, len(met.rows) - newer - back, newer)

    def living(
        self,
        conn: Connection,  # noqa: ARG002
        key: str,
        environ: Mapping[str, str],
        sync: str = "",  # noqa: ARG002
    ) -> pa.Array:
        """The keys of all rows that are there, typed as the files hold them."""
        import pyarrow as pa

        text = pa.schema([(key, pa.string())])  # CSV has no types: "007" is no number
        with self._open(environ) as folder:
            rows = folder.rows(key, [key], text)
        if key not in rows.column_names:
            return pa.array([], pa.string())
        return rows.filter(rows[DELETED_AT].is_null())[key].combine_chunks()

    def _name(self, parcel: Parcel) -> str:
        return f"{parcel.seq:019d}-{parcel.digest}.{self.format}"

    @contextmanager
    def _open(self, environ: Mapping[str, str]) -> Iterator[Folder]:
        """The folder; what its filesystem says is a DestinationRefused."""
        import fsspec
        import pyarrow as pa

        name = variables(self.system)[0]
        base = setting(name, self.system, environ)
        try:
            system, root = fsspec.core.url_to_fs(base)
            yield Folder(system, f"{root.rstrip('/')}/{self.path}", self.format)
        except (OSError, ValueError, ImportError, pa.ArrowException) as error:
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            said = without_secrets(said, [*secrets_of(environ), base])[:300]
            kind = DestinationUnreachable if _may_pass(error) else DestinationRefused
            facts = {"files": self.words, "said": said}
            raise kind(
                f"{self.words}: {said}. Check {name} and the rights there; then retry.", facts
            ) from None


class Folder:
    """The files of one table."""

    def __init__(self, system: Any, root: str, format_: str) -> None:
        self._system, self._root, self._format = system, root, format_

    def names(self) -> list[str]:
        """The files that are complete, the oldest snapshot first."""
        self._system.invalidate_cache()
        if not self._system.exists(self._root):
            return []
        found = (str(p).rpartition("/")[2] for p in self._system.ls(self._root, detail=False))
        return sorted(n for n in found if _NAME.match(n))

    def add(self, name: str, content: bytes, words: str) -> None:
        """Write a file under another name and move it; never over one with other rows."""
        path = f"{self._root}/{name}"
        if self._system.exists(path):
            there = self._system.cat_file(path)
            if there != content and not _same(there, content, self._format):
                raise DestinationRefused(
                    f"{words}: {name} is there with other rows; files are never overwritten. Look "
                    "at who wrote it, move it away, then retry."
                )
            return
        self._system.makedirs(self._root, exist_ok=True)
        part = f"{self._root}/.{uuid.uuid4().hex}.part"
        with self._system.open(part, "wb") as file:
            file.write(content)
            file.flush()
            if hasattr(file, "fileno") and "file" in _protocols(self._system):
                os.fsync(file.fileno())
        self._system.mv(part, path)

    def remove(self, name: str) -> None:
        if self._system.exists(f"{self._root}/{name}"):
            self._system.rm_file(f"{self._root}/{name}")

    def rows(
        self, key: str, columns: Sequence[str] | None, schema: Any, but: str | None = None
    ) -> pa.Table:
        """The newest row of each key, deleted or not, with SEQ and DELETED_AT (null: it lives)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        tables = [self._read(n, columns, schema) for n in self.names() if n != but]
        if not tables:
            moment = pa.timestamp("us", "UTC")
            return pa.table({SEQ: pa.array([], pa.int64()), DELETED_AT: pa.array([], moment)})
        rows = _together(tables)
        order = pc.sort_indices(rows, sort_keys=[(SEQ, "descending")])
        rows = rows.take(order).append_column("", pa.array(range(len(rows)), pa.int64()))
        first = rows.group_by(key).aggregate([("", "min")])["_min"]
        rows = rows.take(first)
        gone = pc.if_else(pc.fill_null(rows[DELETED], False), pa.scalar(0, pa.int64()), None)
        return rows.drop_columns(["", DELETED]).append_column(
            DELETED_AT, gone.cast(pa.timestamp("us", "UTC"))
        )

    def _read(self, name: str, columns: Sequence[str] | None, schema: Any) -> pa.Table:
        wanted = None if columns is None else [*dict.fromkeys([*columns, SEQ, DELETED])]
        with self._system.open(f"{self._root}/{name}", "rb") as file:
            return _decoded(file, self._format, wanted, schema)


def file_table(system: str, path: str, *, format: str = "parquet") -> FileTable:
    """Files below `WFOPS_<SYSTEM>_URL`, as `file_table("lake", "crm/contacts")`.

    The address is a local folder or what fsspec takes (`memory://…`, `s3://…` with s3fs). `format`
    is parquet or csv. Raises ValueError for another one, or a path that leaves the folder.
    """
    if format not in ("parquet", "csv"):
        raise ValueError(f"{format!r} is no format; write parquet or csv")
    parts = path.split("/")
    if not path or any(p in ("", ".", "..") for p in parts):
        raise ValueError(f"{path!r} is no path below the folder; write it as crm/contacts")
    return FileTable(system, path, format)


def _met(parcel: Parcel, folder: Folder, format_: str, but: str | None = None) -> Met:
    from wfops_pipelines.destinations.comparing import meet

    shown = _shown(parcel, format_)
    held = folder.rows(parcel.key, None, shown.table.schema, but)
    if parcel.key not in held.column_names:
        import pyarrow as pa

        held = held.append_column(
            parcel.key, pa.array([], shown.table.schema.field(parcel.key).type)
        )
    return meet(shown, held)


def _shown(parcel: Parcel, format_: str) -> Parcel:
    """The parcel as its file has it: CSV has no binary, so that is hexadecimal text there."""
    from dataclasses import replace

    from wfops_pipelines.postgres.copying import for_copy, settled

    return replace(parcel, rows=(settled if format_ == "parquet" else for_copy)(parcel.table))


def _encoded(parcel: Parcel, format_: str) -> bytes:
    import pyarrow as pa
    from pyarrow import csv, parquet

    rows = _shown(parcel, format_).table.select(parcel.columns)
    rows = rows.append_column(SEQ, pa.repeat(pa.scalar(parcel.seq, pa.int64()), len(rows)))
    rows = rows.append_column(DELETED, parcel.tombstones())
    sink = io.BytesIO()
    if format_ == "parquet":
        parquet.write_table(rows, sink, compression="zstd")
    else:
        csv.write_csv(rows, sink)
    return sink.getvalue()


def _decoded(file: Any, format_: str, columns: list[str] | None, schema: Any) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    if format_ == "parquet":
        found = parquet.read_table(file)
        return found if columns is None else found.select(columns)
    types = {f.name: f.type for f in schema or ()}
    content = file.read()
    try:
        return _csv(content, types, columns)
    except pa.ArrowInvalid:  # of another type by now: compared as text
        return _csv(content, dict.fromkeys(types, pa.string()), columns)


def _csv(content: bytes, types: Mapping[str, Any], columns: list[str] | None) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    convert = csv.ConvertOptions(
        column_types={**types, SEQ: pa.int64(), DELETED: pa.bool_()},
        null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
        include_columns=columns,
    )  # fmt: skip
    parse = csv.ParseOptions(newlines_in_values=True)
    return csv.read_csv(io.BytesIO(content), convert_options=convert, parse_options=parse)


def _together(tables: list[pa.Table]) -> pa.Table:
    """All rows; a column whose type changed between files in a way that fits none is text."""
    import pyarrow as pa

    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.concat_tables([_as_text(t, tables) for t in tables], promote_options="permissive")


def _as_text(table: pa.Table, tables: list[pa.Table]) -> pa.Table:
    from wfops_pipelines.destinations.comparing import as_text

    for i, name in enumerate(table.column_names):
        if len({t.schema.field(name).type for t in tables if name in t.column_names}) > 1:
            table = table.set_column(i, name, as_text(table[name]))
    return table


def _same(there: bytes, content: bytes, format_: str) -> bool:
    """Whether two files hold the same rows, though another version of a library wrote one."""
    if format_ != "parquet":
        return False
    one, two = (_decoded(io.BytesIO(b), format_, None, None) for b in (there, content))
    return bool(one.equals(two))


def _may_pass(error: Exception) -> bool:
    return isinstance(error, ConnectionError | TimeoutError)


def _protocols(system: Any) -> tuple[str, ...]:
    found = system.protocol
    return (found,) if isinstance(found, str) else tuple(found)
