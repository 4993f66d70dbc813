"""What records of a SaaS API were before they were written, kept so that it can be taken back.

An image is {"seq": the snapshot that had written it last, or null, "record": the fields that the
sync sends, as they were} or, of a record that a reverted publication had made, {"made": true}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wfops_pipelines.destinations.parcel import Keep

if TYPE_CHECKING:
    from sqlalchemy import Connection

MADE: Mapping[str, Any] = {"made": True}


def fields(record: Any, sent: Any) -> Any:
    """Of a record what the body `sent` has a place for: what sending it back would restore."""
    if isinstance(sent, Mapping):
        known = record if isinstance(record, Mapping) else {}
        return {name: fields(known.get(name), value) for name, value in sent.items()}
    if isinstance(sent, list | tuple) and isinstance(record, list) and len(sent) == len(record):
        return [fields(r, s) for r, s in zip(record, sent, strict=True)]
    return record


def store(conn: Connection, keep: Keep, sync: str, key: str, image: Mapping[str, Any]) -> None:
    """Keep an image, in the place of one from a try that sent nothing."""
    conn.exec_driver_sql(
        f"insert into {keep.table} (sync, seq, key, before, at) "
        "values (%(sync)s, %(seq)s, %(key)s, %(before)s, %(at)s) "
        "on conflict (sync, seq, key) do update set before = excluded.before, at = excluded.at",
        _values(keep, sync) | {"key": key, "before": json.dumps(image)},
    )


def of_snapshot(conn: Connection, keep: Keep, sync: str) -> dict[str, dict[str, Any]]:
    """The images of one snapshot, by key."""
    query = f"select key, before from {keep.table} where sync = %(sync)s and seq = %(seq)s"
    return {r.key: r.before for r in conn.exec_driver_sql(query, _values(keep, sync))}


def forget(
    conn: Connection, keep: Keep, sync: str, seq: int, images: Mapping[str, Mapping[str, Any]],
    keys: Iterable[str],
) -> None:  # fmt: skip
    """What snapshot `seq` wrote is not what a later revert brings back, but what was before it."""
    for key in keys:
        conn.exec_driver_sql(
            f"update {keep.table} set before = %(before)s where sync = %(sync)s "
            "and key = %(key)s and (before ->> 'seq')::bigint = %(rank)s",
            {
                "sync": sync, "key": key, "rank": seq,
                "before": json.dumps(images.get(key, MADE)),
            },
        )  # fmt: skip


def _values(keep: Keep, sync: str) -> dict[str, Any]:
    return {"sync": sync, "seq": keep.seq, "at": keep.at}
