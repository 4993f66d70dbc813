"""Names in SQL, and how to write them."""

from __future__ import annotations

SEQ = "_snapshot_seq"  # the column that guards newer rows against older ones
DELETED_AT = "_deleted_at"  # when the row was deleted; null while it lives
NOTES = ("wfops_ledger", "wfops_replaced")  # beside a table of another database
STAGING = "pg_temp.wfops_staging"


def escaped(sql: str) -> str:
    """Ready for a driver that takes percent signs for parameters."""
    return sql.replace("%", "%%")
