"""Anomalies of snapshots and of rows, within a budget of false holds.

    profiles = [profile(table, key="id", cursor="updated_at") for table in published]
    score_snapshot(profiles, profile(new, key="id", cursor="updated_at"), false_holds=0.02)

    model = fit_rows(published, key="id")
    score_rows(model, new).p_value

Importing this package imports no framework; calling it does. Everything returned is frozen, and
the same input gives the same bits in any process and any order of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from wfops_pipelines.anomaly.nouns import ColumnProfile, Profile, SnapshotFinding, SnapshotScore
from wfops_pipelines.anomaly.row_nouns import ROWS_VERSION, OddRows, RowModel, RowReason, RowScores
from wfops_pipelines.anomaly.weights import weight, weights

VERSION = 10  # of the scorer: the same version gives the same bits for the same profiles

__all__ = [
    "ROWS_VERSION",
    "VERSION",
    "ColumnProfile",
    "OddRows",
    "Profile",
    "RowModel",
    "RowReason",
    "RowScores",
    "SnapshotFinding",
    "SnapshotScore",
    "basis",
    "fit_rows",
    "odd_rows",
    "profile",
    "score_rows",
    "score_snapshot",
    "weight",
    "weights",
]


def profile(
    table: Any,
    *,
    key: str | None = None,
    cursor: str | None = None,
    window: tuple[datetime | None, datetime | None] | None = None,
) -> Profile:
    """What a snapshot looks like: a few kilobytes a column that no longer need the rows.

    `table` is a `pyarrow.Table`, or several of one schema that are its parts; `key` names the
    column that must be unique, `cursor` the one that tells when a row changed. Neither the order of
    rows nor how they are parted matters. Profiles of parts can be merged. What has more than 16,384
    rows is measured on a sample of that size, chosen by content; row count, nulls, extremes,
    duplicates and the digest are always of all rows.

    `window` is the stretch of the cursor (after, up to) whose rows were extracted and had not been
    before; None for an end that is not known, and a time without a zone is of UTC. Where the scorer
    knows it, rows are judged by what was asked for, and a run that came late, too early or not at
    all is no fault of theirs.

    Raises:
        TypeError: `table` is neither a table nor several.
    """
    from wfops_pipelines.anomaly._profile import profile_parts

    after, upto = (None if end is None else _seconds(end) for end in window or (None, None))
    parts = [table] if hasattr(table, "num_rows") else table
    return profile_parts(_tables(parts), key, cursor, None if window is None else (after, upto))


def _tables(parts: Iterable[Any]) -> Iterator[Any]:
    """One after the other: together they may be more than the memory holds."""
    for part in parts:
        if not hasattr(part, "column_names"):
            raise TypeError("profile takes a pyarrow.Table: pa.Table.from_pylist(rows) makes one")
        yield part


def _seconds(at: datetime) -> float:
    """Since 1970. A time without a zone must not mean another moment on another machine."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def score_snapshot(
    history: Sequence[Profile],
    new: Profile,
    *,
    false_holds: float = 0.02,
    weights: Mapping[str, float] | None = None,
) -> SnapshotScore:
    """Judge a snapshot by the published ones before it, oldest first.

    `false_holds` is the share of normal snapshots that may be held, `weights` how much each kind
    of finding counts (see `weights`). A broken contract (columns, types, repeated keys, an exact
    replay or an empty snapshot where that is not usual) holds regardless of both.

    Raises:
        ValueError: `false_holds` is not between 0 and 1.
        TypeError: one of the profiles is none.
    """
    if not 0.0 < false_holds < 1.0:
        raise ValueError(f"false_holds is a share between 0 and 1, for example 0.02: {false_holds}")
    if not all(isinstance(one, Profile) for one in (*history, new)):
        raise TypeError("score_snapshot takes profiles: profile(table) makes one of a table")
    from wfops_pipelines.anomaly._snapshot import score

    return score(history, new, false_holds, weights or {})


def basis(history: Sequence[Profile], *, false_holds: float = 0.02) -> str:
    """What the next snapshot will be judged by, in words, before it is there."""
    from wfops_pipelines.anomaly._snapshot import basis_of

    return basis_of(history, false_holds)


def fit_rows(published: Any, *, key: str | None = None) -> RowModel:
    """Learn what published rows look like, from one `pyarrow.Table` or several, oldest first.

    Only ever fit on rows that were published: a model fitted on unreviewed rows learns the errors
    that it should find. At most 60,000 rows each are used to learn and to calibrate.

    Raises:
        SchemaRefused: there is no row, or two columns have one name.
    """
    from wfops_pipelines.anomaly._rows_model import fit

    return fit([published] if hasattr(published, "num_rows") else list(published), key)


def score_rows(model: RowModel, table: Any) -> RowScores:
    """Score each row of a `pyarrow.Table`; columns that the model does not know are ignored.

    Raises:
        SchemaRefused: a column of the model is not in the table.
    """
    from wfops_pipelines.anomaly._rows_score import score

    return score(model, table)


def odd_rows(model: RowModel, table: Any, limit: float) -> OddRows:
    """The rows whose p-value is at most `limit`.

    To the bit what `score_rows` says of them; the forest is only asked about rows that can be odd
    enough, so that a small limit takes less time and memory.

    Raises:
        SchemaRefused: a column of the model is not in the table.
    """
    from wfops_pipelines.anomaly._rows_score import odd

    return odd(model, table, limit)
