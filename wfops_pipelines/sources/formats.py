"""CSV, JSON lines and Parquet as records, one after the other, with where each stands."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

from wfops_pipelines.core.parts import batches
from wfops_pipelines.sources.cells import Broken

if TYPE_CHECKING:
    import pyarrow as pa

Format: TypeAlias = Literal["csv", "jsonl", "parquet"]
Placed: TypeAlias = Iterator[tuple[str, dict[str, Any]]]
LONGEST_LINE = 16 * 2**20  # characters; a file without line breaks must not fill the memory
ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
PACKED = (".gz", ".bz2", ".xz")
_LONE = re.compile("[\ud800-\udfff]")
_WHOLE_AGAIN = "have it written again, whole, and put in place by renaming; then retry"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read."""

    format: Format
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    nulls: tuple[str, ...] = ("",)
    exact: bool = False  # fractions of JSON as Decimal
    texts: tuple[str, ...] = ()  # columns wanted as text
    rows: int = 5000

    def records(self, handle: IO[bytes]) -> Placed:
        """Yield each record with its line or row. Raises Broken."""
        match self.format:
            case "csv":
                return _csv(handle, self)
            case "jsonl":
                return _jsonl(handle, self)
            case "parquet":
                return _parquet(handle, self)


def _lines(handle: IO[bytes], encoding: str) -> Iterator[str]:
    text = io.TextIOWrapper(handle, encoding, errors="surrogateescape", newline="")
    number = 0
    try:
        while line := text.readline(LONGEST_LINE):
            number += 1
            if not line.isascii() and _LONE.search(line):
                raise Broken(
                    f"is not {encoding.removesuffix('-sig')} text",
                    'pass encoding= as the file is written, often "cp1252"', place=f"line {number}",
                )  # fmt: skip
            if len(line) == LONGEST_LINE:
                raise Broken(
                    f"is longer than {LONGEST_LINE:,} characters", _WHOLE_AGAIN,
                    place=f"line {number}",
                )  # fmt: skip
            yield line
    finally:
        with suppress(ValueError):  # closed already
            text.detach()  # the handle is the caller's to close


def _csv(handle: IO[bytes], how: Reading) -> Placed:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    lines = csv.reader(_lines(handle, how.encoding), delimiter=how.delimiter, strict=True)
    header: list[str] = []
    nulls = frozenset(how.nulls)
    begin = 1
    cells: list[Any]
    try:
        for cells in lines:
            place, begin = f"line {begin}", lines.line_num + 1
            if not cells:
                continue
            if not header:
                header = _header(cells, place)
                continue
            if len(cells) != len(header):
                raise _miscounted(cells, header, place)
            if not nulls.isdisjoint(cells):
                cells = [None if c in nulls else c for c in cells]
            yield place, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise Broken(
            f"is not CSV ({error})", f"close the quote, or: {_WHOLE_AGAIN}", place=f"line {begin}"
        ) from None
    if not header:
        raise Broken("has no header line", _WHOLE_AGAIN)


def _header(cells: Sequence[str], place: str) -> list[str]:
    names = [c.strip() for c in cells]
    twice = sorted({n for n in names if names.count(n) > 1})
    if "" in names or twice:
        problem = f"names the column {twice[0]!r} twice" if twice else "has a column without a name"
        raise Broken(
            problem, "correct the header, or delimiter=", place=place, schema=True,
            field=twice[0] if twice else "",
        )  # fmt: skip
    return names


def _miscounted(cells: Sequence[str], header: Sequence[str], place: str) -> Broken:
    last = header[min(len(cells), len(header)) - 1]
    return Broken(
        f"has {len(cells)} fields where the header has {len(header)}",
        f"quote cells that hold the delimiter, or, if it is the last line: {_WHOLE_AGAIN}",
        place=place, field=last,
    )  # fmt: skip


def _jsonl(handle: IO[bytes], how: Reading) -> Placed:
    from wfops_pipelines.sources.answers import parse

    for number, line in enumerate(_lines(handle, how.encoding), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            record = _exactly(line) if how.exact else parse(line.encode("utf-8"))
        except (ValueError, RecursionError) as error:
            where = (
                f", character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
            )
            repair = f"correct that line, or, if it is the last: {_WHOLE_AGAIN}"
            raise Broken(f"is not JSON{where}", repair, place=place) from None
        if not isinstance(record, dict):
            repair = "write one object with named fields a line"
            raise Broken("is JSON, but no object", repair, place=place)
        yield place, record


def _exactly(line: str) -> Any:
    return json.loads(line, parse_float=Decimal)


def _parquet(handle: IO[bytes], how: Reading) -> Placed:
    for number, batch in parquet_batches(handle, how):
        for at, record in enumerate(_listed(batch, number), number + 1):
            yield f"row {at}", record


def _listed(batch: pa.RecordBatch, number: int) -> list[dict[str, Any]]:
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns[name] = column.to_pylist()
        except (ValueError, OverflowError):
            raise Broken(
                "holds times that Python cannot express, as those after the year 9999",
                "declare the column as str", place=f"from row {number + 1} on", field=name,
            ) from None  # fmt: skip
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def parquet_batches(handle: IO[bytes], how: Reading) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows in batches, with how many came before each. Raises Broken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        file = pq.ParquetFile(
            _seekable(handle), buffer_size=2**20, pre_buffer=False, page_checksum_verification=True
        )
        _header(file.schema_arrow.names, "the schema")
        for batch in batches(file, how.rows):
            batch.validate(full=True)  # damaged text and offsets would only be met much later
            yield number, _plain(batch, how, number)
            number += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and (type(error) is not OSError or error.errno):
            raise  # the store's, not Arrow's
        place = f"row {number + 1}" if number else ""
        raise Broken("is no whole Parquet file", _WHOLE_AGAIN, place=place) from None


def _seekable(handle: IO[bytes]) -> IO[bytes]:
    """The file itself, or a copy on disk of what comes as a stream: Parquet begins at its end."""
    if handle.seekable():
        return handle
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - Arrow reads on after this
    shutil.copyfileobj(handle, copy, 2**20)
    copy.seek(0)
    return copy


def _plain(batch: pa.RecordBatch, how: Reading, number: int) -> pa.RecordBatch:
    """Times to the microsecond, as Python has them; as text where that is wanted."""
    import pyarrow as pa

    for at, field in enumerate(batch.schema):
        if pa.types.is_temporal(field.type) and field.name in how.texts:
            wanted = pa.string()
        elif pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            wanted = pa.timestamp("us", field.type.tz)
        else:
            continue
        try:
            batch = batch.set_column(at, field.name, batch.column(at).cast(wanted))
        except pa.ArrowInvalid:
            raise Broken(
                "holds times finer than a microsecond", "declare the column as str",
                place=f"from row {number + 1} on", field=field.name,
            ) from None  # fmt: skip
    return batch
