"""Files in a folder or an object store: one immutable file a publication, the newest row counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.connection import variables
from wfops_pipelines.apis.stores import credentials, imported, opened, store_for
from wfops_pipelines.core.exchange import without_secrets
from wfops_pipelines.core.parts import regrouped
from wfops_pipelines.core.redact import secrets_of
from wfops_pipelines.core.snapshot import DELETED, NEWER, Diff
from wfops_pipelines.destinations.folder import Folder, NoBucket, refuse_long
from wfops_pipelines.destinations.held import Held
from wfops_pipelines.destinations.meeting import Meeting, shown
from wfops_pipelines.destinations.names import SEQ
from wfops_pipelines.destinations.numbers import Numbers
from wfops_pipelines.destinations.parcel import Existing, Parcel, Reverted, Written
from wfops_pipelines.errors import DestinationRefused, DestinationUnreachable

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Engine


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

    def existing(self, conn: Connection, parcel: Parcel, columns: Sequence[str]) -> Existing:
        found = self.existing_in_pieces(conn, parcel, columns)
        return Existing({k: row for _, piece in found for k, row in piece.rows.items()})

    def existing_in_pieces(
        self,
        conn: Connection,  # noqa: ARG002
        parcel: Parcel,
        columns: Sequence[str],
    ) -> Iterator[tuple[Parcel, Existing]]:
        """As `existing`, of so many rows at a time; the files are looked through once."""
        with self._open(parcel) as folder:
            yield from Meeting.of(parcel, folder).existing(columns)

    def diff(self, conn: Connection, parcel: Parcel, critical: Sequence[str]) -> Diff:  # noqa: ARG002
        with self._open(parcel) as folder:
            return Meeting.of(parcel, folder).diff(critical)

    def publish(self, conn: Connection, side: Engine, parcel: Parcel) -> Written:  # noqa: ARG002
        """Add the parcel's file; where it is there already, say what adding it did."""
        name = self._name(parcel)
        with self._open(parcel) as folder:
            written = Meeting.of(parcel, folder, but=name).all().written()
            folder.add(name, lambda file: _write(parcel, self.format, file), self.words)
            return written

    def revert(self, conn: Connection, parcel: Parcel) -> Reverted:  # noqa: ARG002
        """Remove the parcel's file: older files say again what was there before."""
        name = self._name(parcel)
        with self._open(parcel) as folder:
            met = Meeting.of(parcel, folder, but=name).all()
            folder.remove(name)
        newer = int(met.late.sum())
        back = int((met.there & ~met.late).sum())
        late = (key for key, is_late in zip(parcel.keys(), met.late, strict=True) if is_late)
        stayed = dict.fromkeys(late, NEWER) if newer else {}
        return Reverted(back, parcel.rows.num_rows - newer - back, newer, stayed)

    def living(
        self,
        conn: Connection,  # noqa: ARG002
        key: str,
        environ: Mapping[str, str],
        sync: str = "",
    ) -> pa.Array:
        """The keys of all rows that are there, typed as the files hold them."""
        import pyarrow as pa

        text = pa.schema([(key, pa.string())])  # CSV has no types: "007" is no number
        with self._open(Parcel(sync, 0, key, text.empty_table(), environ)) as folder:
            return Held.of(folder, text, key).living(key)

    def numbers(self, _: Connection, environ: Mapping[str, str], _new: str, /) -> Numbers | None:
        import pyarrow as pa

        with self._open(Parcel("", 0, "", pa.table({}), environ)) as folder:
            names = folder.names()
        if not names:
            return None
        return Numbers(int(names[-1][:19]), "move its files away")

    def _name(self, parcel: Parcel) -> str:
        return f"{parcel.seq:019d}-{parcel.digest}.{self.format}"

    @contextmanager
    def _open(self, parcel: Parcel) -> Iterator[Folder]:
        """The folder; what its filesystem says is a DestinationRefused."""
        import pyarrow as pa

        name, environ = variables(self.system)[0], parcel.environ
        store = store_for(self.system, environ)
        try:
            with imported(self.system):
                system, root = opened(store)
            root = f"{root.rstrip('/')}/{self.path}"
            yield Folder(system, root, self.format, parcel.at_once)
        except NoBucket as missing:
            raise DestinationRefused(
                f"{self.words}: there is no bucket {missing}, or nobody lets us list it "
                f"({credentials(self.system)}). Correct {name}, or make the bucket (none is made "
                "here); then retry.",
                {"files": self.words, "said": f"no bucket {missing}"},
            ) from None
        except Exception as error:
            known = isinstance(error, OSError | ValueError | ImportError | pa.ArrowException)
            if not known and not _of_a_store(error):
                raise
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            said = without_secrets(said, [*secrets_of(environ), store.url])[:300]
            kind = DestinationUnreachable if _may_pass(error) else DestinationRefused
            facts = {"files": self.words, "said": said}
            raise kind(
                f"{self.words}: {said}. Check {name}, and that {credentials(self.system)} (or this "
                "user) may read and write there; then retry.",
                facts,
            ) from None


def file_table(system: str, path: str, *, format: str = "parquet") -> FileTable:
    """Files below `WFOPS_<SYSTEM>_URL`, as `file_table("lake", "crm/contacts")`.

    The address is a local folder or what fsspec takes (`memory://…`, `s3://…` with s3fs), with its
    options as JSON in `WFOPS_<SYSTEM>_CREDENTIALS`. `format` is parquet or csv. Raises ValueError
    for another one, or a path that leaves the folder.
    """
    if format not in ("parquet", "csv"):
        raise ValueError(f"{format!r} is no format; write parquet or csv")
    parts = path.split("/")
    if not path or any(p in ("", ".", "..") for p in parts):
        raise ValueError(f"{path!r} is no path below the folder; write it as crm/contacts")
    return FileTable(system, path, format)


def _write(parcel: Parcel, format_: str, file: Any) -> None:
    """The parcel's file, a part at a time; the same bytes however the parcel is read."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    rows = shown(parcel, format_)
    own = [(SEQ, pa.int64()), (DELETED, pa.bool_())]
    schema = pa.schema(
        [*(f for f in rows.schema if f.name != DELETED), *(pa.field(n, t) for n, t in own)]
    )
    with (
        parquet.ParquetWriter(file, schema, compression="zstd")
        if format_ == "parquet"
        else csv.CSVWriter(file, schema)
    ) as writer:
        for part in regrouped(rows, parcel.at_once):
            if format_ == "csv":
                refuse_long(part)
            writer.write_table(_numbered(replace(parcel, rows=part), schema))


def _numbered(parcel: Parcel, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    rows = parcel.table.select(parcel.columns)
    seqs = pa.repeat(pa.scalar(parcel.seq, pa.int64()), len(rows))
    return pa.table([*rows.columns, seqs, parcel.tombstones()], schema=schema)


_STORES = ("aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google")


def _of_a_store(error: Exception) -> bool:
    """Whether an object store's own library says it: fsspec does not make all of them OSErrors."""
    return type(error).__module__.partition(".")[0] in _STORES


def _may_pass(error: Exception) -> bool:
    """A file that is not there any more was taken back since it was listed."""
    if _of_a_store(error):
        return "Credential" not in type(error).__name__
    return isinstance(error, ConnectionError | TimeoutError | FileNotFoundError)
