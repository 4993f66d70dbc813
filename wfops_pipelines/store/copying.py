"""Arrow tables into PostgreSQL by COPY."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection

_STAGED = "pg_temp.wfops_copied"


@contextmanager
def copy_table(conn: Connection, rows: pa.Table) -> Iterator[str]:
    """A temporary table with the rows, text and times; its name, until the block ends.

    PostgreSQL has no character NUL: the replacement character stands for it.
    """
    import pyarrow.compute as pc
    import pyarrow.types as pt
    from pyarrow import csv

    columns = [
        f'"{f.name}" {"timestamptz" if pt.is_timestamp(f.type) else "text"}' for f in rows.schema
    ]
    conn.exec_driver_sql(f"create temporary table wfops_copied ({', '.join(columns)})")
    for i, field in enumerate(rows.schema):
        if pt.is_string(field.type):
            clean = pc.replace_substring(rows[i], "\0", "\ufffd")
            rows = rows.set_column(i, field.name, clean)
    buffer = io.BytesIO()
    csv.write_csv(rows, buffer, csv.WriteOptions(include_header=False))
    buffer.seek(0)
    raw: Any = conn.connection.cursor()
    with raw as cursor:
        cursor.copy_expert(f"copy {_STAGED} from stdin with (format csv)", buffer)
    yield _STAGED
    conn.exec_driver_sql(f"drop table {_STAGED}")
