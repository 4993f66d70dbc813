"""Put back what a publication replaced in a table of any database, in its own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update

from wfops_pipelines.core.snapshot import AWAY, CHANGED, NEWER
from wfops_pipelines.destinations.database_rows import Tables, note_of, of_keys
from wfops_pipelines.destinations.database_types import read, type_of, written
from wfops_pipelines.destinations.names import SEQ
from wfops_pipelines.destinations.parcel import Parcel, Reverted
from wfops_pipelines.destinations.undo import not_kept
from wfops_pipelines.errors import DestinationRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from wfops_pipelines.destinations.comparing import Met


def end_keeping(conn: Connection, tables: Tables, parcel: Parcel) -> None:
    """Raises DestinationRefused where nothing is kept: each row would seem to have been added."""
    assert parcel.keep is not None
    r = tables.replaced.c
    mine = (r.sync == parcel.sync) & (r.seq == parcel.keep.seq) & (r.key == note_of(parcel))
    if not conn.execute(delete(tables.replaced).where(mine)).rowcount:
        raise DestinationRefused(not_kept(parcel, parcel.keep))


def put_back(conn: Connection, tables: Tables, parcel: Parcel, met: Met) -> Reverted:
    """Rows that this parcel changed get their former values, rows that it added are deleted.

    Not those that somebody changed since, which `met` tells.
    """
    assert parcel.keep is not None
    target, keys = tables.target, parcel.table[parcel.key].to_pylist()
    query = select(tables.key).where(target.c[SEQ] == parcel.seq).with_for_update()
    mine = {row[0] for row in of_keys(conn, tables.key, query, keys)}
    unlike = {k for k, changed in zip(keys, met.changed(), strict=True) if changed and k in mine}
    mine -= unlike
    images = _images(conn, tables, parcel, [str(k) for k in keys], later=False)
    before = {key: read(text) for (_, key), text in images.items()}
    restored = deleted = 0
    for key in sorted(mine, key=lambda k: str(k) in before):  # what was added goes first
        image = before.get(str(key))
        if image is None:
            conn.execute(delete(target).where(tables.key == key))
            deleted += 1
        else:
            values = {c: bindparam(None, v, type_of(v)) for c, v in image.items()}
            conn.execute(update(target).where(tables.key == key).values(values))
            restored += 1
    _forget(conn, tables, parcel, before, [str(k) for k in keys if k not in unlike])
    stayed = _stayed(conn, tables, [k for k in keys if k not in mine and k not in unlike])
    stayed |= dict.fromkeys(map(str, unlike), CHANGED)
    return Reverted(restored, deleted, len(keys) - restored - deleted, stayed)


def _stayed(conn: Connection, tables: Tables, keys: list[Any]) -> dict[str, str]:
    there = {row[0] for row in of_keys(conn, tables.key, select(tables.key), keys)}
    return {str(key): NEWER if key in there else AWAY for key in keys}


def _forget(
    conn: Connection, tables: Tables, parcel: Parcel, before: dict[str, Any], keys: list[str]
) -> None:
    """What was reverted must not come back when a later publication is reverted, too."""
    assert parcel.keep is not None
    r = tables.replaced
    for (seq, key), text in _images(conn, tables, parcel, keys, later=True).items():
        image = read(text)
        if image.get(SEQ) != parcel.seq:
            continue
        this = (r.c.sync == parcel.sync) & (r.c.seq == seq) & (r.c.key == key)
        if key in before:
            merged = written({**image, **before[key]})
            conn.execute(update(r).where(this).values(before=merged))
        else:
            conn.execute(delete(r).where(this))
    mine = (r.c.sync == parcel.sync) & (r.c.seq == parcel.keep.seq)
    if keys:
        conn.execute(delete(r).where(mine & (r.c.key == bindparam("k"))), [{"k": k} for k in keys])


def _images(
    conn: Connection, tables: Tables, parcel: Parcel, keys: list[str], *, later: bool
) -> dict[tuple[int, str], str]:
    """What was kept for these keys: by this snapshot, or by others."""
    assert parcel.keep is not None
    r = tables.replaced
    whose = r.c.seq != parcel.keep.seq if later else r.c.seq == parcel.keep.seq
    query = select(r.c.seq, r.c.key, r.c.before).where(r.c.sync == parcel.sync, whose)
    return {(int(s), str(k)): str(b) for s, k, b in of_keys(conn, r.c.key, query, keys)}
