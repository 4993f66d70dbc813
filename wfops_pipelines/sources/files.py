"""Files as a source: CSV, JSON lines or Parquet, in a folder, a bucket or at a web server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wfops_pipelines.apis.stores import Store, imported, store_for
from wfops_pipelines.apis.window import Window
from wfops_pipelines.sources import columnar
from wfops_pipelines.sources.cells import Broken, converted, moment
from wfops_pipelines.sources.formats import ENDINGS, PACKED, Format, Reading
from wfops_pipelines.sources.spoilt import explained, malformed, passing
from wfops_pipelines.sources.stores import Entry, Shelf

if TYPE_CHECKING:
    import pyarrow as pa

Page = list[dict[str, Any]]
_SKEW = timedelta(days=1)  # by which a row's time may lie after the arrival of its file


@dataclass(frozen=True, slots=True)
class FileSource:
    """The records of all files that match a pattern; see `files`."""

    system: str
    pattern: str
    reading: Reading
    types: tuple[tuple[str, Any], ...] = ()
    cursor: str | None = None
    arrived: str | None = None
    quiet: float = 10.0
    may_be_empty: bool = False
    tables: bool = False

    @property
    def windowed(self) -> bool:
        """Whether only what changed inside the window is read."""
        return self.cursor is not None or self.arrived is not None

    def connect(self, environ: Mapping[str, str]) -> Store:
        """Read where the files are. Raises SettingsError with the repair."""
        return store_for(self.system, environ)

    def pages(self, window: Window, connection: Store) -> Iterator[Page | pa.Table]:
        """Yield the records of `window`, file by file, `rows` at a time.

        Raises:
            SourceRefused: the store does not let this process in.
            SourceUnreachable: it is not there, or a file is still being written.
            SourceMalformed: a file is broken; names file, line and field. Or none is there.
            SchemaRefused: a file lacks a declared column.
        """
        with imported(self.system), explained(self.system, self.pattern):
            shelf = Shelf(connection)
            entries = shelf.entries(self.pattern)
        if not entries and not self.may_be_empty:
            raise malformed(
                self.system, self.pattern, "matches no file", "correct the pattern or the "
                                  "address, or pass may_be_empty=True")  # fmt: skip
        for entry in entries:
            if self._wanted(entry, window):
                yield from self._read(shelf, entry, window)

    def _wanted(self, entry: Entry, window: Window) -> bool:
        """Whether a file may hold records of the window. Raises when it is not ready for it."""
        at = entry.arrived
        if self.arrived and at is None:
            raise malformed(
                self.system,
                entry.name,
                "has no time of arrival in this store",
                "pass cursor= instead of arrived=",
            )
        resting = at is None or abs((window.end - at).total_seconds()) >= self.quiet
        if self.arrived:
            assert at is not None
            return resting and at < window.end and (window.start is None or at >= window.start)
        if not resting:
            raise passing(
                self.system, entry.name, "was changed a moment ago: it may still be written"
            )
        if self.cursor and window.start is not None and at is not None:
            return at >= window.start - _SKEW
        return True

    def _read(self, shelf: Shelf, entry: Entry, window: Window) -> Iterator[Page | pa.Table]:
        yield from (self._tables if self.tables else self._lists)(shelf, entry, window)
        with explained(self.system, entry.name):
            after = shelf.entry(entry.path)
        if after is None or after.mark != entry.mark:
            raise passing(self.system, entry.name, "changed while it was read")

    def _lists(self, shelf: Shelf, entry: Entry, window: Window) -> Iterator[Page]:
        page: Page = []
        for record in self._records(shelf, entry):
            if self._inside(record, window):
                page.append(record)
            if len(page) >= self.reading.rows:
                yield page
                page = []
        if page:
            yield page

    def _tables(self, shelf: Shelf, entry: Entry, window: Window) -> Iterator[pa.Table]:
        if self._empty(entry):
            return
        with explained(self.system, entry.name), shelf.open(entry, packed=False) as handle:
            for table in columnar.tables(handle, self.reading, self.cursor, window):
                arrived = self.arrived
                yield columnar.stamped(table, arrived, entry.arrived) if arrived else table

    def _records(self, shelf: Shelf, entry: Entry) -> Iterator[dict[str, Any]]:
        if self._empty(entry):
            return
        types = dict(self.types)
        packed = entry.name.lower().endswith(PACKED)
        with explained(self.system, entry.name), shelf.open(entry, packed=packed) as handle:
            for place, record in self.reading.records(handle):
                yield self._stamped(converted(record, types, place), place, entry)

    def _empty(self, entry: Entry) -> bool:
        """Whether there is nothing in it, and may be. Raises SourceMalformed where it may not."""
        if entry.size == 0 and not self.may_be_empty:
            raise malformed(
                self.system, entry.name, "is empty (0 bytes)",
                "have it written again; if that is right, pass may_be_empty=True",
            )  # fmt: skip
        return entry.size == 0

    def _stamped(self, record: dict[str, Any], place: str, entry: Entry) -> dict[str, Any]:
        if self.cursor and self.cursor not in record:
            raise Broken(
                f"there is no column {self.cursor!r}, the cursor", "correct cursor= in the sync",
                place=place, schema=True,
            )  # fmt: skip
        if self.cursor and record[self.cursor] is not None:
            try:
                moment(record[self.cursor])
            except (ValueError, TypeError, AttributeError, OverflowError, OSError):
                raise Broken(
                    "is no time", "correct the file, or name another column as cursor=",
                    place=place, field=self.cursor,
                ) from None  # fmt: skip
        return {**record, self.arrived: entry.arrived} if self.arrived else record

    def _inside(self, record: dict[str, Any], window: Window) -> bool:
        if self.cursor is None or record[self.cursor] is None:
            return True  # a row without a time is evidence: the examiners report it
        at = moment(record[self.cursor])
        return at < window.end and (window.start is None or at >= window.start)


def files(
    system: str,
    pattern: str,
    *,
    cursor: str | None = None,
    arrived: str | None = None,
    types: Mapping[str, Any] | None = None,
    format: Format | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8-sig",
    nulls: tuple[str, ...] = ("",),
    quiet: float = 10.0,
    may_be_empty: bool = False,
    rows: int | None = None,
    tables: bool = False,
) -> FileSource:
    """Declare files below `WFOPS_<SYSTEM>_URL`, as `files("shop", "orders/*.csv", arrived="at")`.

    Args:
        system: names the variables: `WFOPS_SHOP_URL` is a path or an address that fsspec knows
            (`s3://bucket/exports`), `WFOPS_SHOP_CREDENTIALS` its options as JSON, where needed.
        pattern: below that address, as `orders/*.csv` or `**/*.parquet`. `.gz` and its like may
            follow.
        cursor: a column with a row's last change; only rows of the window are read. For a file
            that is written anew as a whole, or a log. A late file with older rows needs `arrived`.
        arrived: add a column of this name with the time at which the row's file came, and read
            only files that came since. For folders into which new files are dropped. Without
            either, every extraction reads everything.
        types: what columns hold: int, Decimal, float, bool, date, datetime, or a function of the
            cell. All others stay as the file has them, in CSV as text, leading zeros included.
        format: csv, jsonl or parquet, when the pattern's ending does not tell.
        delimiter: of CSV; a comma, a tab for `.tsv`.
        encoding: of CSV and JSON lines.
        nulls: cells of CSV that hold nothing.
        quiet: seconds without a change after which a file counts as written. A younger one waits
            (`arrived`), or is a failure that passes.
        may_be_empty: no file, or one of 0 bytes, is no failure.
        rows: in a page; 5,000, or 50,000 of tables.
        tables: of Parquet: a page is a `pyarrow.Table`, and the sync's function returns one. For
            rows in millions. The cursor must be a timestamp.

    Raises:
        ValueError: a pattern that leads out of the folder, or has no known format.
    """
    if not pattern or pattern.startswith("/") or "://" in pattern or ".." in pattern.split("/"):
        raise ValueError(f"the pattern of {system!r} must lie below its address: {pattern!r}")
    if cursor and arrived:
        raise ValueError(f"files({system!r}): pass cursor= or arrived=, not both")
    bare = next((pattern.removesuffix(p) for p in PACKED if pattern.endswith(p)), pattern)
    ending = f".{bare.rpartition('.')[2].lower()}"
    known = format or ENDINGS.get(ending)
    if known is None:
        raise ValueError(f"files({system!r}): pass format=, one of csv, jsonl, parquet")
    if tables and (known != "parquet" or types):
        raise ValueError(f"files({system!r}): tables=True is for Parquet, without types=")
    declared = tuple((types or {}).items())
    reading = Reading(
        known, delimiter or ("\t" if ending == ".tsv" else ","), encoding, nulls,
        exact=any(t is Decimal for _, t in declared),
        texts=tuple(n for n, t in declared if t is str), rows=rows or (50_000 if tables else 5000),
    )  # fmt: skip
    return FileSource(
        system, pattern, reading, declared, cursor, arrived, quiet, may_be_empty, tables
    )
